"""Slim: a smaller model without the channels that its masks leave out."""

import numpy as np

from tflottery import site as _sites
from tflottery import training
from tflottery.structured import compiling, copies, flow
from tflottery.structured import masks as _masks


def slim(model, masks):
  """A new model without the masked channels, which computes what `model` does with them at 0.

  `model` stays as it is. The new one is of the same Keras, with the same names, and has the weights
  that survive; compiled models are compiled alike, and the optimizer goes on with its slots, cut like
  their weights.

  A mask says which channels are 0: of a scale (gamma) with its offset, of a kernel with its bias. What
  follows of a channel that is 0 goes with it: the scale and offset of a normalisation, the kernel and
  bias of a depthwise convolution (the moving mean, where there is no scale). A class of channels
  (`groups`) is removed where each of its channels is 0, or makes no difference. Elsewhere, as in a
  residual sum with another branch that lives, what is masked stays and is exactly 0. In inference the
  new model computes what the old one does with these weights at 0. Trained on, what stayed at 0
  learns again.

  Args:
    model: a built Sequential or functional model of either Keras, channels last, without shared
      layers; nested models are fine.
    masks: dict from channel site to bool array [C], True stays. Sites are the gammas of
      BatchNormalization and LayerNormalization and the kernels of Dense and convolutions (their
      output channels; of a depthwise one input * multiplier), by path. An absent site stays whole.

  Raises:
    TypeError: `model` is no Keras model.
    ValueError: the model can't be slimmed, the masks do not fit it, would leave a layer without a
      channel, or mask one that can't be removed; names the layer, and the model is untouched.

  >>> import keras
  >>> layers = [keras.Input((4,)), keras.layers.Dense(3, "relu", name="a")]
  >>> model = keras.Sequential([*layers, keras.layers.Dense(2, name="b")])
  >>> small = slim(model, {"a/kernel": np.array([True, False, True])})
  >>> [w.shape for w in small.get_weights()]
  [(4, 2), (2,), (2, 2), (2,)]
  """
  found = flow.Flow(model)
  if training.held_on(model) is not None:
    raise ValueError(
      f"model {model.name!r} holds masks of single weights. Release them first: tfl.hold returned "
      "what has .release(), and a callback releases them when fit ends."
    )
  fate = _masks.fate(found, masks)
  with model.distribute_strategy.scope():
    return _built(model, found, fate)


def _built(model, found, fate):
  """The new model, with weights and optimizer."""

  def kept(labels):
    return int((~fate.removed[found.classes_of(labels)]).sum())

  changes = {id(r.call.layer): lambda k, c, r=r: r.change(k, c, kept) for r in found.rules}
  made = copies.Copies(changes, lambda tensor: found.channels_left(tensor, fate.removed))
  new = made.model(model)
  sliced = _slicing(found, fate.removed)
  zeros = {id(variable): zero for variable, zero in fate.zeros}
  for old, variable in made.variables:
    value = _sites.value(old)
    if id(old) in zeros:
      value = np.where(zeros[id(old)], 0, value)
    variable.assign(sliced(old, value))
  _settle(made.models, made.layers)
  compiling.compile_alike(new, model, twins=made.variables, sliced=sliced)
  return new


def _slicing(found, removed):
  """Function of (weight of the old model, array of its shape) to the array for the new one."""
  cuts = {}
  for rule in found.rules:
    for one in rule.slices:
      stays = ~removed[found.classes_of(one.labels)]
      cuts.setdefault(id(one.variable), []).append((one.axis, stays))

  def sliced(variable, value):
    for axis, stays in cuts.get(id(variable), ()):
      value = np.compress(stays, value, axis)
    return value

  return sliced


def _settle(models, layers):
  """What weights alone do not say: what is trained, and statistics that layers hold besides."""
  for old, new in models:  # from the outermost: each sets all that is in it
    new.trainable = old.trainable
  for old, new in layers:
    for one, copy in zip(old._flatten_layers(), new._flatten_layers(), strict=True):
      copy.trainable = one.trainable
      if hasattr(copy, "finalize_state"):
        copy.finalize_state()
