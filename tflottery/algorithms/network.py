"""Network: a model before training and the passes through it, compiled, that change nothing."""

import contextlib
import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tflottery import probe as _probe
from tflottery import site as _sites
from tflottery.algorithms import examples

_ACTIVATIONS = {
  "Softmax": tf.nn.softmax,
  "LogSoftmax": tf.nn.log_softmax,
  "Sigmoid": tf.nn.sigmoid,
}


@dataclasses.dataclass(frozen=True)
class Probe(_probe.Probe):
  """What a criterion may look at before training: `gradients` are summed over the batches.

  Attributes:
    network: the `Network`, whose variables hold `weights` while the criterion looks.
    seed: int of at least 0, for what a criterion draws.
  """

  network: "Network"
  seed: int


class Network:
  """A model, the data that it is looked at with, and passes through it.

  Attributes:
    model: the model.
    sites: dict from path to `Site`.
  """

  def __init__(self, model, sites, *, data=None, loss=None, batches=1, seed=0):
    self.model, self.sites = model, sites
    self._data, self._count, self._seed = data, batches, seed
    self._given_loss, self._compiled = loss, {}

  @functools.cached_property
  def batches(self):
    """A list of (x, y, sample weights or None), tensors, for passes with the loss.

    Raises:
      TypeError, ValueError: there is no data or no loss, or the data is not what it must be.
    """
    if self._given_loss is None and getattr(self.model, "optimizer", None) is None:
      raise ValueError(
        f"loss=None, and model {self.model.name!r} is not compiled. Call model.compile(...), or give "
        "loss=."
      )
    batches = self._loaded
    if self._loss is not None and any(weight is not None for _, _, weight in batches):
      raise ValueError(
        f"loss={self._given_loss!r} beside sample weights in data: only the compiled loss takes them. "
        "Compile the model and leave out loss=, or give batches (x, y)."
      )
    return batches

  @functools.cached_property
  def ones(self):
    """Inputs of ones: one example in the model's structure of inputs.

    Raises:
      ValueError: neither the model nor data says the shape.
    """
    if self._data is not None and not _shapes_known(self.model):
      return tf.nest.map_structure(lambda x: tf.ones_like(x[:1]), self._loaded[0][0])
    if not _shapes_known(self.model):
      raise ValueError(
        f"model {self.model.name!r} does not say the shape of its inputs. Give data=, whose first "
        "batch shows it."
      )
    inputs = getattr(self.model, "input", self.model.inputs)
    inputs = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs
    return tf.nest.map_structure(
      lambda x: tf.ones([x.shape[0] or 1, *x.shape[1:]], x.dtype), inputs
    )

  def run(self, function, *args):
    """`function(network, *args)` on tensors, compiled once; of several replicas, the first's."""
    if function not in self._compiled:
      strategy = self.model.distribute_strategy

      def everywhere(*args):
        found = strategy.run(function, args=(self, *args))
        return tf.nest.map_structure(lambda x: strategy.experimental_local_results(x)[0], found)

      self._compiled[function] = tf.function(everywhere, reduce_retracing=True)
    # A plain call would have TensorFlow warn of retracing where several networks are pruned.
    return self._compiled[function].get_concrete_function(*args)(*args)

  def loss(self, batch, *, training, outputs=lambda x: x):
    """The loss of a batch, float scalar; `outputs` is a function of each output of the model."""
    x, y, weight = batch
    found = tf.nest.map_structure(outputs, self.model(x, training=training))
    if self._loss is None:
      return self.model.compute_loss(x=x, y=y, y_pred=found, sample_weight=weight)
    return tf.reduce_mean(self._loss(y, found))

  def gradient(self, tape, target):
    """Gradients at the sites: dict from path to dense float tensor, 0 where there is no way."""
    variables = [_raw(site.variable) for site in self.sites.values()]
    zero = tf.UnconnectedGradients.ZERO
    found = tape.gradient(target, variables, unconnected_gradients=zero)
    return {path: tf.convert_to_tensor(g) for path, g in zip(self.sites, found, strict=True)}

  def gradients(self):
    """Gradients of the loss, summed over the batches; normalisation and dropout as in inference."""
    return total(self.run(_gradients, batch) for batch in self.batches)

  @functools.cached_property
  def _loaded(self):
    return examples.batches(self._data, self._count, seed=self._seed)

  @functools.cached_property
  def _loss(self):
    given = self._given_loss
    return given if given is None else _sites.keras_of(self.model).losses.get(given)


@contextlib.contextmanager
def unchanged(model):
  """Whatever happens inside, the model's variables are as before afterwards.

  These are weights, statistics, seeds and metrics. tfmot's wrappers rest meanwhile: a pass in
  training would move their schedules and change their masks.
  """
  before = {id(variable): _sites.value(variable) for variable in _variables(model)}
  wrappers = [layer for layer in model._flatten_layers() if hasattr(layer, "pruning_obj")]
  resting = [(w.pruning_obj, w.pruning_obj._pruning_schedule) for w in wrappers]
  try:
    for wrapper in wrappers:
      wrapper.pruning_obj._pruning_schedule = lambda _: (tf.constant(False), tf.constant(0.0))
      wrapper.pruning_step.assign(max(0, int(_sites.value(wrapper.pruning_step))))
    yield
  finally:
    for pruning, schedule in resting:
      pruning._pruning_schedule = schedule
    for variable in _variables(model):  # a metric that was made meanwhile starts at 0
      value = before.get(id(variable))
      variable.assign(np.zeros_like(_sites.value(variable)) if value is None else value)


def logits(output):
  """(logits, activation) of an output tensor of a graph.

  For an output of softmax or sigmoid that is what it was computed from, and the function; for any
  other the output itself and the identity.
  """
  operation = output.op
  while operation.type in ("Identity", "Cast"):
    operation = operation.inputs[0].op
  if operation.type in _ACTIVATIONS:
    return operation.inputs[0], _ACTIVATIONS[operation.type]
  return output, tf.identity


def total(terms):
  """The sum of several dicts of tensors, path by path."""
  return functools.reduce(lambda a, b: {path: a[path] + b[path] for path in a}, terms)


def _gradients(network, batch):
  with tf.GradientTape() as tape:
    loss = network.loss(batch, training=False)
  return network.gradient(tape, loss)


def _shapes_known(model):
  inputs = getattr(model, "inputs", None)
  return bool(inputs) and all(None not in tuple(x.shape)[1:] for x in inputs)


def _variables(model):
  """Everything that a pass may change, each once."""
  metrics = [variable for metric in model.metrics for variable in metric.variables]
  return list({id(variable): variable for variable in [*model.variables, *metrics]}.values())


def _raw(variable):
  return variable.value if isinstance(variable, keras.Variable) else variable
