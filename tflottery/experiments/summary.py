"""Summary: what came out of a run, in one dict."""

import statistics

import numpy as np

from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.analysis import counting
from tflottery.experiments import parents

_COUNTED = {"magnitude_extended": "magnitude"}
_FREQUENCY = 100  # the callbacks' own, where the config gives none


def summary(work, model, masks, rows, *, test_accuracy, schedule):
  """What came out of a run, as JSON values; units stand in the names, accuracies lie in [0, 1].

  FLOPs are multiplications and additions per example; dense means the network of full width with all
  its weights, and shares are of that. The training's share is that of all its steps, and of those
  that its parent was trained for where it inherits the parent's weights; a network that is pruned and
  begins anew does not count its parent.

  Args:
    work: a `sparse.Task`.
    model: the trained model.
    masks: dict from site path to bool array.
    rows: the rows of metrics.csv.
    test_accuracy: of the trained model.
    schedule: step -> (due, amount), by which the masks changed; None where they did not.
  """
  s, last = work.settings, rows[-1]
  sizes = [int(np.prod(variable.shape)) for variable in _sites.weights(model).values()]
  masked = sum(mask.size - int(mask.sum()) for mask in masks.values())
  dense, here = counting.flops(work.network()).dense, counting.flops(model, masks).sparse
  training = counting.training_flops(
    "static" if s.algorithm in parents.ALGORITHMS else _COUNTED.get(s.algorithm, s.algorithm),
    dense=dense,
    sparse=here,
    frequency=s.algorithm_arguments.get("frequency", _FREQUENCY),
    schedule=schedule,
    steps=work.end,
  )
  dense_training = counting.training_flops("dense", dense=dense)
  inherited = dense_training * work.inherited_steps
  return {
    "algorithm": s.algorithm,
    "asked_sparsity": s.sparsity,
    "seed": s.seed,
    "steps": work.end,
    "test_accuracy": test_accuracy,
    "validation_accuracy": last["validation_accuracy"],
    "validation_loss": last["validation_loss"],
    "sparsity": _masks.sparsity(masks),
    "sparsity_per_layer": {path: _masks.sparsity({path: mask}) for path, mask in masks.items()},
    "parameters": sum(sizes),
    "live_parameters": sum(sizes) - masked,
    "channels_removed_share": 0.0,
    "inference_flops": here,
    "dense_inference_flops": dense,
    "inference_flops_share": here / dense,
    "flops_factor": dense / here,
    "training_flops_per_step_and_example": training,
    "dense_training_flops_per_step_and_example": dense_training,
    "training_flops_share": (training * work.end + inherited) / (dense_training * work.dense_steps),
    "train_seconds": last["train_seconds"],
    "steps_per_second": statistics.median(row["steps_per_second"] for row in rows),
  }
