"""Checkpoints: everything that training changes comes back, and what does not fit is refused."""

import numpy as np
import pytest
from builders import batches, mlp, random_masks

import tflottery as tfl
from tflottery import site
from tflottery.experiments import checkpoint


def _values(model):
  return [site.value(variable) for variable in checkpoint.variables(model)]


def _built(k, **changes):
  model = mlp(k, batch_norm=True, **changes)
  model.optimizer.build(model.trainable_variables)
  return model


def test_weights_statistics_optimizer_and_held_masks_come_back(k, tmp_path):
  model = _built(k)
  masks = random_masks(model)
  with tfl.hold(model, masks):
    model.fit(batches(), verbose=0)
    checkpoint.save(tmp_path / "c.npz", model, [{"step": 15}])
    expected = _values(model)
  other = _built(k, seed=1)
  values, record = checkpoint.load(tmp_path / "c.npz")
  assert record == [{"step": 15}]
  with tfl.hold(other, {path: np.ones_like(mask) for path, mask in masks.items()}) as held:
    checkpoint.restore(other, values)
    for there, here in zip(expected, _values(other), strict=True):
      np.testing.assert_array_equal(there, here)
    for path, mask in held.masks.items():
      np.testing.assert_array_equal(mask, masks[path])
  assert any(value.dtype.kind == "i" and value == 15 for value in expected), "the optimizer's step"


def test_the_inner_optimizer_of_a_loss_scale_optimizer_and_keras_3_dropout_are_part_of_it(k):
  optimizer = k.mixed_precision.LossScaleOptimizer(k.optimizers.Adam())
  model = mlp(k, optimizer)
  model.optimizer.build(model.trainable_variables)
  shapes = [tuple(v.shape) for v in checkpoint.variables(model)]
  assert shapes.count((8, 6)) == 3, "the kernel and its two moments"
  if k.__name__ == "keras":
    dropped = k.Sequential([k.layers.Input((2,)), k.layers.Dropout(0.5), k.layers.Dense(1)])
    dropped.compile("sgd", "mse")
    assert any(v.path.endswith("seed_generator_state") for v in checkpoint.variables(dropped))


def test_without_a_file_there_is_nothing(tmp_path):
  assert checkpoint.load(tmp_path / "c.npz") == (None, None)


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_file_is_refused_by_name(k, tmp_path, damage):
  path = tmp_path / "c.npz"
  checkpoint.save(path, _built(k), [])
  data = path.read_bytes()
  path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"x" * len(data))
  with pytest.raises(ValueError, match=r"c\.npz.*is damaged.*Delete it"):
    checkpoint.load(path)


def test_a_checkpoint_of_another_model_is_refused_and_the_model_stays_as_it_was(k, tmp_path):
  checkpoint.save(tmp_path / "c.npz", _built(k), [])
  values, _ = checkpoint.load(tmp_path / "c.npz")
  other = mlp(k)
  other.optimizer.build(other.trainable_variables)
  before = _values(other)
  with pytest.raises(ValueError, match="checkpoint does not fit"):
    checkpoint.restore(other, values)
  for there, here in zip(before, _values(other), strict=True):
    np.testing.assert_array_equal(there, here)
