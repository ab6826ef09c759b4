"""Parametrised: a wrapper around one layer whose weights are computed from trained parameters."""

import contextlib
import functools

import keras
import tensorflow as tf
import tf_keras

from tflottery import draws as _draws
from tflottery.layers import frozen, local, substitution

_AS_IS = {"autocast": False}  # integers and half precision reach the layer as they are


class _Parametrised:
  """What both Kerases' classes add to their own Layer."""

  def __init__(self, layer, parametrisation, sites, seed=0, calls=1, **kwargs):
    # Not the layer's policy: in mixed precision parameters are computed with at full precision.
    super().__init__(**{"name": layer.name, "dtype": layer.variable_dtype, **_AS_IS, **kwargs})
    if not parametrisation.trains_weights:
      layer.trainable = False
    self.layer = layer
    self.parametrisation = parametrisation
    self.sites, self.seed, self.calls = dict(sites), seed, calls
    self.activity_regularizer = layer.activity_regularizer
    self.supports_masking = layer.supports_masking

  def build(self, input_shape):
    how = self.parametrisation
    if not self.layer.built:
      freeze = contextlib.nullcontext if how.trains_weights else frozen.built
      with tf.name_scope(self.layer.name), freeze(self.layer):
        self.layer.build(input_shape)
    for name, weight in self._weights.items():
      initial = how.initial(tuple(weight.shape), self.sites[name])
      for place, (parameter, values) in enumerate(initial.items()):
        penalty = functools.partial(self._penalty, name) if how.penalised and not place else None
        variable = self._parameter(f"{name}_{parameter}", values, penalty)
        setattr(self, f"{name}_{parameter}", variable)
    if how.noise is not None:
      self.draws = self._counter("draws", per_replica=True)
    if how.noise == "weight":
      self.sample = self._counter("sample", per_replica=False)
    super().build(input_shape)

  def parameters(self, name):
    """The trained variables of one weight, by the names of the parametrisation."""
    return {p: getattr(self, f"{name}_{p}") for p in self.parametrisation.parameters}

  def tensors(self, name):
    """(weight, dict of its parameters) as tensors of the parameters' dtype."""
    parameters = {p: tf.convert_to_tensor(v) for p, v in self.parameters(name).items()}
    weight = tf.convert_to_tensor(self._weights[name])
    return tf.cast(weight, next(iter(parameters.values())).dtype), parameters

  def kept(self, name):
    """The mask of one weight in inference, bool tensor."""
    return self.parametrisation.kept(*self.tensors(name))

  def steps(self):
    """How many steps it has been trained for, integer scalar tensor: its training calls by `calls`."""
    return tf.convert_to_tensor(self.draws) // self.calls

  def effective(self, number=None, *, stream=()):
    """Dict from the name of each weight to the tensor that takes its place.

    Args:
      number: int scalar tensor, which draw it is; None computes them without chance.
      stream: tuple of ints, the draws' own seed beside the layer's and the weight's.
    """
    found = {}
    for name in self.sites:
      weight, parameters = self.tensors(name)
      noise = None
      if number is not None:
        noise = _draws.uniform(weight.shape, (self.seed, self.sites[name], *stream), number)
        noise = tf.cast(noise, weight.dtype)
      found[name] = self.parametrisation.weight(weight, parameters, noise)
    return found

  def call(self, inputs, training=None):
    noise = self.parametrisation.noise
    if not (training and noise):
      return substitution.call(self.layer, self._effective_in_inference(), inputs)
    number = tf.identity(tf.convert_to_tensor(self.draws))
    with tf.control_dependencies([inputs]):  # a step that finds its data at an end is none
      self.draws.assign_add(1)
    if noise == "weight":
      return substitution.call(self.layer, self.effective(number), inputs)
    [(name, site)] = self.sites.items()
    variance = self.parametrisation.variance(*self.tensors(name))
    return local.drawn(self.layer, name, variance, inputs, (self.seed, site), number)

  def _effective_in_inference(self):
    if self.parametrisation.noise != "weight":
      return self.effective()
    number = tf.convert_to_tensor(self.sample)
    return tf.cond(
      number > 0, lambda: self.effective(number, stream=(1,)), lambda: self.effective()
    )

  def _penalty(self, name, _):
    """What is added to the loss: at the strength of the step whose forward pass was the latest."""
    step = (tf.convert_to_tensor(self.draws) - 1) // self.calls
    loss = self.parametrisation.penalty(*self.tensors(name), tf.maximum(step, 0))
    return tf.cast(loss, self._keras.backend.floatx())  # Keras 3 adds no losses of other dtypes

  def _parameter(self, name, values, penalty):
    return self.add_weight(
      name=name,
      shape=tuple(values.shape),
      dtype=self._dtype_of_parameters,
      initializer=lambda shape, dtype: tf.cast(values, dtype),
      regularizer=penalty,
      **{self._autocast_argument: False},
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
      "calls": self.calls,
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
    layer: a layer of Keras that is called with one tensor and whose calls change no variable.
    parametrisation: how weights are computed, an object of a class that is registered in both
      Kerases, with

      - `parameters`, the names of the trained parameters of a weight; `initial(shape, site)`, a dict
        from these names to arrays to start with; `get_config()`, its constructor's keywords.
      - `trains_weights`: whether the layer's own variables are trained; if not they are all frozen.
      - `weight(weight, parameters, noise)`, the tensor in a weight's place.
      - `noise`: "weight" where in training it is drawn, `noise` uniform in [0, 1) of its shape;
        "output" where `variance(weight, parameters)` is the variance of normal weights about the
        layer's own, and training draws outputs of the mean and the variance that they have (for one
        weight in which the layer is linear); None where nothing is drawn. Then, and in inference,
        `noise` is None.
      - `penalised`: whether `penalty(weight, parameters, step)` is added to the loss, as Keras adds
        regularisers: once, however often the layer is called.
      - `kept(weight, parameters)`, the bool mask of inference.
    sites: dict from the name of each weight that is computed to the number that its draws are made
      with.
    seed: int of at least 0. In training call n draws from (seed, site) and n, which the variable
      `draws` counts. In inference weights are drawn while the variable `sample` is n, not 0: the n-th
      of other draws. Outputs draw from the number of the replica too.
    calls: how often a step calls the layer.
    kwargs: those of `keras.layers.Layer`; the name is the layer's, the dtype its variables'.

  >>> class Scaled:
  ...   parameters, noise, penalised, trains_weights = ("factor",), None, False, False
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
