"""Parametrised: a wrapper around one layer whose weights are computed from trained parameters."""

import keras
import tensorflow as tf
import tf_keras

from tflottery import draws as _draws
from tflottery.layers import frozen, substitution


class _Parametrised:
  """What both Kerases' classes add to their own Layer."""

  def __init__(self, layer, parametrisation, sites, seed=0, **kwargs):
    super().__init__(**{"name": layer.name, "dtype": layer.dtype_policy, **kwargs})
    layer.trainable = False
    self.layer = layer
    self.parametrisation = parametrisation
    self.sites, self.seed = dict(sites), seed
    self.activity_regularizer = layer.activity_regularizer
    self.supports_masking = layer.supports_masking

  def build(self, input_shape):
    if not self.layer.built:
      with tf.name_scope(self.layer.name), frozen.built(self.layer):
        self.layer.build(input_shape)
    for name, weight in self._weights.items():
      shape = tuple(weight.shape)
      for parameter, values in self.parametrisation.initial(shape, self.sites[name]).items():
        variable = self.add_weight(
          name=f"{name}_{parameter}",
          shape=shape,
          dtype=self._dtype_of_parameters,
          initializer=lambda shape, dtype, values=values: tf.cast(values, dtype),
          **{self._autocast_argument: False},
        )
        setattr(self, f"{name}_{parameter}", variable)
    if self.parametrisation.is_random:
      self.draws = self._counter("draws", per_replica=True)
      self.sample = self._counter("sample", per_replica=False)
    super().build(input_shape)

  def parameters(self, name):
    """The trained variables of one weight, by the names of the parametrisation."""
    return {p: getattr(self, f"{name}_{p}") for p in self.parametrisation.parameters}

  def effective(self, number=None, *, stream=()):
    """Dict from the name of each weight to the tensor that takes its place.

    Args:
      number: int scalar tensor, which draw it is; None computes them without chance.
      stream: tuple of ints, the draws' own seed beside the layer's and the weight's.
    """
    found = {}
    for name, weight in self._weights.items():
      parameters = {p: tf.convert_to_tensor(v) for p, v in self.parameters(name).items()}
      dtype = next(iter(parameters.values())).dtype
      weight = tf.cast(tf.convert_to_tensor(weight), dtype)
      noise = None
      if number is not None:
        noise = _draws.uniform(weight.shape, (self.seed, self.sites[name], *stream), number)
        noise = tf.cast(noise, dtype)
      found[name] = self.parametrisation.weight(weight, parameters, noise)
    return found

  def call(self, inputs, training=None):
    return substitution.call(self.layer, self._drawn(training), inputs)

  def _drawn(self, training):
    if not self.parametrisation.is_random:
      return self.effective()
    if training:
      number = tf.identity(tf.convert_to_tensor(self.draws))
      self.draws.assign_add(1)
      return self.effective(number)
    number = tf.convert_to_tensor(self.sample)
    return tf.cond(
      number > 0, lambda: self.effective(number, stream=(1,)), lambda: self.effective()
    )

  @property
  def _dtype_of_parameters(self):
    """At least float32: in float16 the size of a layer is infinite."""
    return "float64" if tf.as_dtype(self.variable_dtype) == tf.float64 else "float32"

  @property
  def _weights(self):
    own = substitution.variables(self.layer)
    return {name: own[name] for name in self.sites}

  def compute_mask(self, inputs, mask=None):
    return self.layer.compute_mask(inputs, mask)

  def compute_output_shape(self, input_shape):
    return self.layer.compute_output_shape(input_shape)

  def get_config(self):
    how = self.parametrisation
    name = self._keras.saving.get_registered_name(type(how))
    own = {
      "layer": self._keras.layers.serialize(self.layer),
      "parametrisation": {"name": name, "fields": how.get_config()},
      "sites": dict(self.sites),
      "seed": self.seed,
    }
    return {**super().get_config(), **own}

  @classmethod
  def from_config(cls, config):
    layer, how = config["layer"], config["parametrisation"]
    if isinstance(layer, dict):  # what get_config says, or the objects themselves
      layer = cls._keras.layers.deserialize(layer)
      how = cls._keras.saving.get_registered_object(how["name"])(**how["fields"])
    return cls(**{**config, "layer": layer, "parametrisation": how})


@keras.saving.register_keras_serializable(package="tflottery")
class Parametrised(_Parametrised, keras.layers.Layer):
  """A Keras 3 layer that calls another with weights that are computed from trained parameters.

  Args:
    layer: a layer of Keras that is called with one tensor and whose calls change no variable. All its
      variables are frozen.
    parametrisation: how weights are computed, an object of a class that is registered in both
      Kerases. It has `parameters`, the names of the trained parameters of a weight; `initial(shape,
      site)`, a dict from these names to arrays to start with; `weight(weight, parameters,
      noise)`, the tensor in its place, where noise is uniform in [0, 1) of its shape, or None;
      `is_random`, whether it takes noise; and `get_config()`, its constructor's keywords.
    sites: dict from the name of each weight that is computed to the number that its draws are made
      with.
    seed: int of at least 0. In training call n draws from (seed, site) and n, which the variable
      `draws` counts. In inference the noise is None while the variable `sample` is 0, and the n-th
      of other draws while it is n.
    kwargs: those of `keras.layers.Layer`; name and dtype are the layer's.

  >>> class Scaled:
  ...   parameters, is_random = ("factor",), False
  ...   def initial(self, shape, site):
  ...     return {"factor": tf.fill(shape, 2.0)}
  ...   def weight(self, weight, parameters, noise):
  ...     return weight * parameters["factor"]
  >>> dense = keras.layers.Dense(1, kernel_initializer="ones")
  >>> layer = Parametrised(dense, Scaled(), {"kernel": 0})
  >>> layer(tf.ones((1, 3))).numpy().tolist(), [w.name for w in layer.trainable_weights]
  ([[6.0]], ['kernel_factor'])
  """

  _keras = keras
  _autocast_argument = "autocast"

  def _counter(self, name, *, per_replica):
    kwargs = {"aggregation": "only_first_replica", "synchronization": "on_read"}
    return keras.Variable(
      0, dtype="int32", trainable=False, name=name, **(kwargs if per_replica else {})
    )


@tf_keras.saving.register_keras_serializable(package="tflottery", name="Parametrised")
class _ParametrisedOfTfKeras(_Parametrised, tf_keras.layers.Layer):
  """The same for tf_keras."""

  _keras = tf_keras
  _autocast_argument = "experimental_autocast"

  def _counter(self, name, *, per_replica):
    kwargs = {
      "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
      "synchronization": tf.VariableSynchronization.ON_READ,
    }
    return self.add_weight(
      name=name,
      shape=(),
      dtype=tf.int32,
      initializer="zeros",
      trainable=False,
      **(kwargs if per_replica else {}),
    )


PARAMETRISED = (Parametrised, _ParametrisedOfTfKeras)
