"""Convert: the masks, the plain model and the ticket of a model with learned masks."""

import warnings

import numpy as np
import tensorflow as tf

from tflottery import site as _sites
from tflottery.layers import frozen, parametrised, substitution
from tflottery.learned import frozen_weights, ramps, wrapping
from tflottery.tickets.ticket import Ticket


def masks(model):
  """The masks that the model has in inference.

  Rounded ones of a supermask, the highest scores of edge-popup, log_alpha below the threshold of
  variational dropout, and gates above 0 of L0. Of the last two there are warnings where a site has no
  weight left, or the ramp of the strength has not ended.

  Args:
    model: what `tfl.variational_dropout`, `tfl.l0`, `tfl.supermask` or `tfl.edge_popup` returned.

  Returns:
    A dict from the site's path in the plain model to bool array of the weight's shape.

  Raises:
    TypeError: `model` is not a Keras model.
    ValueError: it has no learned masks.

  >>> import keras, tflottery as tfl
  >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="fc")])
  >>> masks(tfl.supermask(model))["fc/kernel"].tolist()
  [[False], [False]]
  """
  found = kept(model)
  _warn(model, found)
  return found


def kept(model):
  """As `masks`, without warnings."""
  return {
    path: layer.kept(name).numpy() for path, (layer, name) in wrapping.computed(model).items()
  }


def ramp_of(model):
  """(the argument that ends the ramp, steps that takes, steps done) of penalised masks; else None."""
  layer, _ = next(iter(wrapping.computed(model).values()))
  how = layer.parametrisation
  return (*ramps.end(how), int(layer.steps())) if how.penalised else None


def _warn(model, found):
  ramp = ramp_of(model)
  if ramp is None:
    return
  argument, needed, done = ramp
  if needed > done:
    warnings.warn(
      f"model {model.name!r} has trained {done} steps, and the ramp of its strength ends at "
      f"{argument}: its masks are not yet what the strength makes of them.",
      stacklevel=3,
    )
  for path, (layer, name) in wrapping.computed(model).items():
    if not found[path].any():
      reason = layer.parametrisation.why_none(*layer.tensors(name))
      warnings.warn(
        f"{path} has no weight left, all {found[path].size} are dropped: {reason}. Give a smaller "
        "strength, or leave it dense with exclude=.",
        stacklevel=3,
      )


def plain(model):
  """The plain Keras model of a model with learned masks: the original layers, the effective weights.

  Its kernels hold what the model computes with in inference: weight * mask, rescaled where a supermask
  is, times the gate of L0. Layers are trainable as they were before the masks, or all of them where
  training masks had frozen them.

  Args:
    model: as in `masks`.

  Returns:
    A new uncompiled model of the same Keras, made in the scope of its strategy.

  Raises:
    TypeError, ValueError: as in `masks`, and the same warnings.

  >>> import keras, tflottery as tfl
  >>> layers = [keras.Input((2,)), keras.layers.Dense(1, name="fc")]
  >>> [w.name for w in plain(tfl.supermask(keras.Sequential(layers))).trainable_weights]
  ['kernel', 'bias']
  """
  _warn(model, kept(model))
  return _plain(model)


def _plain(model):
  module = _sites.keras_of(model)

  def change_of(layer):
    if isinstance(layer, parametrised.PARAMETRISED):
      return lambda kind, config: (type(layer.layer), _config(layer.layer))
    if isinstance(layer, frozen.FROZEN):
      return lambda kind, config: (module.layers.BatchNormalization, config)
    return None

  new, made = wrapping.copied(model, change_of)
  froze = not next(iter(wrapping.computed(model).values()))[0].parametrisation.trains_weights
  for layer, copy in made:
    values = layer.weights
    if isinstance(layer, parametrised.PARAMETRISED):
      values = (substitution.variables(layer.layer) | layer.effective()).values()
    for variable, value in zip(copy.weights, values, strict=True):
      variable.assign(tf.cast(value, variable.dtype))
    if froze:
      copy.trainable = True
  return new


def ticket(model):
  """The ticket of a model with learned masks: its masks in inference, and weights.

  Where weights were trained with their masks, the ticket has those of the plain model. Where they
  were frozen it has those under the masks, kept or not, times the factor of the rescaling; those that
  were drawn from a seed are stored as their recipe, so that the file takes a bit for each and little
  else.

  Args:
    model: as in `masks`.

  Returns:
    A `Ticket` that fits builds of the plain model.

  Raises:
    TypeError, ValueError: as in `masks`, and the same warnings.

  >>> import keras, tflottery as tfl
  >>> layers = [keras.Input((2,)), keras.layers.Dense(1, name="fc")]
  >>> found = ticket(tfl.supermask(keras.Sequential(layers), seed=7))
  >>> found.sparsity, found.drawn["fc/kernel"].seed
  (1.0, (7, 0))
  """
  found, new = masks(model), _plain(model)
  weights = {path: _sites.value(variable) for path, variable in _sites.weights(new).items()}
  layer, _ = next(iter(wrapping.computed(model).values()))
  how, recipes = layer.parametrisation, {}
  if not how.trains_weights:
    frozen_ones, recipes = _under_masks(model, found, _sites.candidates(new))
    weights |= frozen_ones
  metadata = {"masks": type(how).__name__, **how.get_config()}
  return Ticket(found, weights, metadata=metadata, drawn=recipes)


def _under_masks(model, found, sites):
  """(dict from path to array, dict from path to recipe where they were drawn): the frozen weights."""
  weights, recipes = {}, {}
  for path, (layer, name) in wrapping.computed(model).items():
    how = layer.parametrisation
    multiple = how.multiple(tf.cast(found[path], tf.float32)).numpy()
    weights[path] = _sites.value(substitution.variables(layer.layer)[name]) * multiple
    if how.seed is not None:
      recipe = frozen_weights.recipe(
        sites[path], how.weights, how.seed, layer.sites[name], multiple
      )
      if np.array_equal(recipe.values(), weights[path]):  # nobody has put in others since
        recipes[path] = recipe
  return weights, recipes


def _config(layer):
  config = layer.get_config()
  return config | ({"activation": layer.activation} if "activation" in config else {})
