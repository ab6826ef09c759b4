"""Small dense: the same number of parameters as a narrower dense network.

The baseline of Evci et al. 2020, arXiv:1911.11134, section 4.
"""

import numpy as np

from tflottery import site

_RESOLUTION = 2.0**-12  # of the width: below it no layer of less than 4,096 units changes


def small_dense(build, parameters):
  """The widest dense network with at most so many parameters.

  Args:
    build: function of a width above 0, what the units and filters of the hidden layers are
      multiplied by, that returns a built model of either Keras; a wider one has no fewer parameters.
    parameters: how many it may have: every weight counts, biases and statistics too. Usually the
      live parameters of a sparse network.

  Returns:
    The model.

  Raises:
    ValueError: the narrowest network has more parameters, or the network of width 1 fewer.

  >>> import keras
  >>> def build(width):
  ...   hidden = keras.layers.Dense(max(1, round(100 * width)), name="hidden")
  ...   return keras.Sequential([keras.Input((9,)), hidden, keras.layers.Dense(1, name="out")])
  >>> small_dense(build, 120).count_params()  # 10 units of 11 parameters, and a bias
  111
  """
  return build(widest(build, parameters))


def widest(build, parameters):
  """The width of `small_dense`, in (0, 1]."""
  narrow, wide = _RESOLUTION, 1.0
  least, most = (_parameters(build(width)) for width in (narrow, wide))
  if not least <= parameters <= most:
    raise ValueError(
      f"parameters={parameters!r}: the narrowest network of this kind has {least}, that of width 1 "
      f"has {most}. Give a number between them, or a lower sparsity."
    )
  if most == parameters:
    return wide
  while wide - narrow > _RESOLUTION:
    middle = (narrow + wide) / 2
    if _parameters(build(middle)) <= parameters:
      narrow = middle
    else:
      wide = middle
  return narrow


def _parameters(model):
  return sum(int(np.prod(variable.shape)) for variable in site.weights(model).values())
