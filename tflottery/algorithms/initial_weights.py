"""Initial weights: given beside a trained model, for criteria that compare the two."""

import numpy as np
import tensorflow as tf

from tflottery import criteria, site


def initial_weights(model, sites, initial, name):
  """The initial weights of the sites as tensors, by the model's paths; None where none were given.

  Weights are matched by path; where two builds of one model differ only in the numbers that Keras
  gives its layers (`dense_7`), by their order.

  Args:
    model: a built model.
    sites: dict from site path to `Site`.
    initial: what the user gave: a dict from path to array, or None.
    name: the criterion, a name or a function.

  Raises:
    TypeError: `initial` is no dict.
    ValueError: it does not fit the model, every mismatch listed; or it is None, and the criterion of
      that name needs it.
  """
  if initial is None:
    if name in criteria.DECONSTRUCTED and criteria.needs_initial(name):
      raise ValueError(
        f"initial=None: criterion={name!r} needs the weights from before the training. Give initial=, "
        "tfl.capture(model).weights taken before fit, or the weights of a ticket."
      )
    return None
  if not isinstance(initial, dict):
    raise TypeError(
      f"initial must be a dict from path to array, such as tfl.capture(model).weights. Received: "
      f"{initial!r}."
    )
  shapes = {path: tuple(v.shape) for path, v in site.weights(model).items()}
  if initial.keys() != shapes.keys() and site.canonical(initial) == site.canonical(shapes):
    initial = dict(zip(shapes, initial.values(), strict=True))
  problems = [f"{path}: not in the model" for path in initial if path not in shapes]
  problems += [f"{path}: missing" for path in sites if path not in initial]
  problems += [
    f"{path}: {np.shape(value)}, but {shapes[path]} in the model"
    for path, value in initial.items()
    if path in shapes and np.shape(value) != shapes[path]
  ]
  problems += [
    f"{path}: not finite"
    for path in sites
    if np.shape(initial.get(path)) == shapes[path] and not np.isfinite(initial[path]).all()
  ]
  if problems:
    raise ValueError(f"initial= does not fit model {model.name!r}: {'; '.join(problems)}.")
  return {path: tf.convert_to_tensor(initial[path]) for path in sites}
