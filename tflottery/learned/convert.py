"""Convert: the masks, the plain model and the ticket of a supermask model."""

import numpy as np
import tensorflow as tf

from tflottery import site as _sites
from tflottery.layers import frozen, parametrised, substitution
from tflottery.learned import frozen_weights, wrapping
from tflottery.tickets.ticket import Ticket


def masks(model):
  """The masks that the model has in inference: rounded, or the highest scores.

  Args:
    model: what `tfl.supermask` or `tfl.edge_popup` returned.

  Returns:
    A dict from the site's path in the plain model to bool array of the weight's shape.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: it is no supermask model.

  >>> import keras, tflottery as tfl
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> masks(tfl.supermask(model))["fc/kernel"].tolist()
  [[False], [False]]
  """
  return {
    path: layer.parametrisation.kept(layer.parameters(name)).numpy()
    for path, (layer, name) in wrapping.computed(model).items()
  }


def plain(model):
  """The plain Keras model of a supermask model: the original layers with the effective weights.

  Its kernels hold what the supermask model computes with in inference: weight * mask, rescaled where
  it is. (In mixed precision kernels are rounded before they are rescaled there, and after it here.) All its layers are trainable, also those that were frozen before the masks were trained.

  Args:
    model: what `tfl.supermask` or `tfl.edge_popup` returned.

  Returns:
    A new uncompiled model of the same Keras, made in the scope of its strategy.

  Raises:
    TypeError, ValueError: as in `masks`.

  >>> import keras, tflottery as tfl
  >>> layers = [keras.Input((2,)), keras.layers.Dense(1, name="fc")]
  >>> [w.name for w in plain(tfl.supermask(keras.Sequential(layers))).trainable_weights]
  ['kernel', 'bias']
  """
  wrapping.computed(model)
  module = _sites.keras_of(model)

  def change_of(layer):
    if isinstance(layer, parametrised.PARAMETRISED):
      return lambda kind, config: (type(layer.layer), _config(layer.layer))
    if isinstance(layer, frozen.FROZEN):
      return lambda kind, config: (module.layers.BatchNormalization, config)
    return None

  new, made = wrapping.copied(model, change_of)
  for layer, copy in made:
    values = layer.weights
    if isinstance(layer, parametrised.PARAMETRISED):
      values = (substitution.variables(layer.layer) | layer.effective()).values()
    for variable, value in zip(copy.weights, values, strict=True):
      variable.assign(tf.cast(value, variable.dtype))
    copy.trainable = True
  return new


def ticket(model):
  """The ticket of a supermask model: its masks in inference, over its frozen weights.

  The weights are those under the masks, kept or not, times the factor of the rescaling; all others are
  as they are. Weights that were drawn from a seed are stored as their recipe, so that the file takes
  a bit for each and little else.

  Args:
    model: what `tfl.supermask` or `tfl.edge_popup` returned.

  Returns:
    A `Ticket` that fits builds of the plain model.

  Raises:
    TypeError, ValueError: as in `masks`.

  >>> import keras, tflottery as tfl
  >>> layers = [keras.Input((2,)), keras.layers.Dense(1, name="fc")]
  >>> found = ticket(tfl.supermask(keras.Sequential(layers), seed=7))
  >>> found.sparsity, found.drawn["fc/kernel"].seed
  (1.0, (7, 0))
  """
  kept, new = masks(model), plain(model)
  weights = {path: _sites.value(variable) for path, variable in _sites.weights(new).items()}
  sites, recipes = _sites.candidates(new), {}
  for path, (layer, name) in wrapping.computed(model).items():
    how = layer.parametrisation
    multiple = how.multiple(tf.cast(kept[path], tf.float32)).numpy()
    weights[path] = _sites.value(substitution.variables(layer.layer)[name]) * multiple
    if how.seed is not None:
      recipe = frozen_weights.recipe(
        sites[path], how.weights, how.seed, layer.sites[name], multiple
      )
      if np.array_equal(recipe.values(), weights[path]):  # nobody has put in others since
        recipes[path] = recipe
  metadata = {"masks": type(how).__name__, **how.get_config()}
  return Ticket(kept, weights, metadata=metadata, drawn=recipes)


def _config(layer):
  config = layer.get_config()
  return config | ({"activation": layer.activation} if "activation" in config else {})
