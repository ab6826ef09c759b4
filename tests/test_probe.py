"""A probe computes what is asked for, once, and nothing else."""

import dataclasses

import pytest

from tflottery.probe import Lazy, Probe


def counted():
  """(a lazy mapping of two paths, the list of paths that it has computed)."""
  computed = []

  def function(path):
    computed.append(path)
    return path.upper()

  return Lazy(["a", "b"], function), computed


def test_a_path_is_computed_at_its_first_use_and_once():
  lazy, computed = counted()
  assert len(lazy) == 2 and list(lazy) == ["a", "b"] and "a" in dict.fromkeys(lazy)
  assert computed == []
  assert lazy["b"] == lazy["b"] == "B"
  assert computed == ["b"]
  assert dict(lazy) == {"a": "A", "b": "B"}
  assert list(lazy.items()) == [("a", "A"), ("b", "B")]
  assert computed == ["b", "a"]


def test_an_unknown_path_is_missing_and_computes_nothing():
  lazy, computed = counted()
  with pytest.raises(KeyError, match="c"):
    lazy["c"]
  assert lazy.get("c", 3) == 3 and "c" not in lazy
  assert computed == []


def test_a_mapping_of_no_paths_is_empty():
  assert not Lazy([], str.upper) and dict(Lazy([], str.upper)) == {}


def test_a_probe_can_not_be_changed():
  probe = Probe(weights={}, masks={}, gradients={}, step=0)
  with pytest.raises(dataclasses.FrozenInstanceError):
    probe.step = 1
