"""Analysis: what a network costs, and figures and tables of what came out."""

from tflottery.analysis.counting import flops, sparsity_for_flops, training_flops

__all__ = ["flops", "sparsity_for_flops", "training_flops"]
