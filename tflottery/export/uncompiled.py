"""The model without what `compile` and `fit` leave on it, which its files would hold."""

import contextlib

from tflottery import site as _sites

# Attributes of the models of either Keras.
_COMPILED = (
  "optimizer",
  "compiled",
  "_is_compiled",
  "_compile_config",
  "_compile_loss",
  "_compile_metrics",
  "_loss_tracker",
  "compiled_loss",
  "compiled_metrics",
)


@contextlib.contextmanager
def uncompiled(model):
  """`model`, and the models in it, as if never compiled, for the length of a `with` block."""
  hidden = []
  for _, layer, _ in _sites.layers(model):
    own = vars(layer)
    if isinstance(layer, _sites.keras_of(model).Model):
      hidden.append((own, {name: own[name] for name in _COMPILED if name in own}))
  try:
    # Past Keras's own __setattr__, which would track and untrack the variables.
    for own, values in hidden:
      own.update(dict.fromkeys(values))
    yield
  finally:
    for own, values in hidden:
      own.update(values)
