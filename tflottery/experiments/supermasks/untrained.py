"""Supermasks without training: masks of every criterion over weights that were never trained.

Zhou et al. 2019, arXiv:1905.01067, section 5: a mask of a trained network, put on the weights that it
began with or on constants of their signs, makes a network far better than chance.
"""

import numpy as np

from tflottery import site as _sites
from tflottery.experiments.supermasks.settings import WEIGHTS
from tflottery.masks import sparsity
from tflottery.seeds import seeds_of
from tflottery.tickets.prune import one_shot_rates, prune, site_rates
from tflottery.tickets.reset import reset


def dense_masks(work, model):
  """Dict from path to bool array, all True: the sites of the experiment."""
  return {path: np.ones(site.shape, bool) for path, site in work.sites(model).items()}


def rows(work, model, initial, final, seed):
  """Test accuracy of every criterion's masks at every level, on every kind of weights.

  Args:
    work: a `task.Task` of `Supermask` settings.
    model: the dense network; its weights are changed.
    initial, final: its tickets before and after training.
    seed: the run's.

  Returns:
    Dicts of the results' table.
  """
  s, evaluate = work.settings, work.evaluator(model, work.data.test)
  rates = site_rates(list(initial.masks), s.rate, s.rates)
  drawn = seeds_of(seed)["masks"]
  found = []
  for criterion in s.criteria:
    for level in range(1, s.levels + 1):
      masks = prune(
        final.weights,
        initial.masks,
        rates=one_shot_rates(rates, level),
        criterion=criterion,
        initial=initial.weights,
        seed=[drawn, level],
      )
      for weights in s.weights:
        for rescale in s.rescale:
          _put(model, initial.weights, masks, weights, rescale)
          found.append(
            {
              "network": "untrained",
              "criterion": criterion,
              "weights": weights,
              "rescale": rescale,
              "level": level,
              "remaining_percent": 100 * (1 - sparsity(masks)),
              "test_accuracy": evaluate()[1],
            }
          )
  return found


def _put(model, initial, masks, weights, rescale):
  values = reset(WEIGHTS[weights], initial, None, masks, keep_sign=True)
  for path, mask in masks.items():
    factor = mask.size / mask.sum() if rescale else 1.0
    values[path] = np.float32(factor) * np.where(mask, values[path], 0)
  for path, variable in _sites.weights(model).items():
    variable.assign(values[path])
