"""Layers whose weights are computed from trained parameters, for both Kerases."""
