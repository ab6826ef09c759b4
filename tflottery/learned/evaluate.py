"""Evaluate: a model with learned masks by masks that are drawn, and by those of inference."""

import collections.abc
import contextlib

import numpy as np

from tflottery import arguments
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.learned import convert, wrapping


def evaluate(model, data, *, samples=10, **options):
  """Metrics of a model with learned masks, over several drawn masks and for the rounded ones.

  Each mask is drawn once and holds for a whole pass over the data; the n-th is the same in every
  call while the logits are. The authors of supermasks report means of ten samples. Of L0 the gates
  are drawn, and rounded stands for the gates of inference. Edge-popup and variational dropout have but
  one mask, and are evaluated once. The model, its metrics and counts stay as they are.

  Source: Zhou et al. 2019, arXiv:1905.01067, section 5.

  Args:
    model: a compiled model that `tfl.supermask`, `tfl.l0`, `tfl.edge_popup` or
      `tfl.variational_dropout` returned.
    data: a dataset, or anything else that the model's `evaluate` can go through again and again, or a
      tuple (inputs, labels) or (inputs, labels, sample weights).
    samples: how many masks are drawn, at least 1.
    options: passed on to the model's `evaluate`, for instance batch_size=500.

  Returns:
    A dict: "mean" and "std" (of the population) over the drawn masks and "rounded" are dicts from
    the metric's name, "loss" included, to float; "sparsity" is the expected share of the sites'
    weights that a drawn mask drops, "rounded_sparsity" the share that the rounded ones drop.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: it has no learned masks or is not compiled, `samples` is out of range, or `data` can be
      gone through only once.

  >>> import keras, tflottery as tfl
  >>> layers = [keras.Input((2,)), keras.layers.Dense(1, name="fc")]
  >>> model = tfl.supermask(keras.Sequential(layers))
  >>> model.compile("sgd", "mse")
  >>> found = evaluate(model, (np.ones((4, 2)), np.zeros((4, 1))), samples=2)
  >>> found["sparsity"], found["rounded_sparsity"], found["rounded"]
  (0.5, 1.0, {'loss': 0.0})
  """
  found = wrapping.computed(model)
  samples = arguments.whole("samples", samples, least=1)
  if getattr(model, "optimizer", None) is None:
    raise ValueError(f"model {model.name!r} is not compiled. Call model.compile(...) first.")
  if isinstance(data, collections.abc.Iterator):
    raise ValueError(
      f"data={data!r} can be gone through only once, and each mask needs a pass. Give a dataset or "
      "arrays."
    )
  random = [layer for layer, _ in found.values() if layer.parametrisation.noise == "weight"]
  given = data if isinstance(data, tuple) else (data,)
  options |= dict(zip(("x", "y", "sample_weight"), given, strict=False))
  passes = []
  with _unchanged(model, random):
    for number in range(samples + 1 if random else 1):
      for layer in random:
        layer.sample.assign(number)
      passes.append(model.evaluate(**{"verbose": 0, **options, "return_dict": True}))
  chances = [
    layer.parametrisation.expected(*layer.tensors(name)).numpy().ravel()
    for layer, name in found.values()
  ]
  rounded, *drawn = passes
  drawn = drawn or [rounded]
  return {
    "mean": {name: float(np.mean([p[name] for p in drawn])) for name in rounded},
    "std": {name: float(np.std([p[name] for p in drawn])) for name in rounded},
    "rounded": rounded,
    "sparsity": 1 - np.concatenate(chances).mean(dtype=float).item(),
    "rounded_sparsity": _masks.sparsity(convert.kept(model)),
  }


@contextlib.contextmanager
def _unchanged(model, layers):
  """Passes of inference inside leave masks and metrics as they were."""
  kept = [layer.sample for layer in layers] + [v for m in model.metrics for v in m.variables]
  before = [_sites.value(variable) for variable in kept]
  try:
    yield
  finally:
    model.reset_metrics()  # also those that the passes made
    for variable, value in zip(kept, before, strict=True):
      variable.assign(value)
