"""Bezier: a curve of low loss between two networks, where the straight line has a barrier.

Garipov et al., Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs, NeurIPS 2018,
arXiv:1802.10026, section 3.
"""

import numpy as np
import tensorflow as tf

from tflottery import arguments
from tflottery import site as _sites
from tflottery.analysis.connectivity import bezier_shares, line, require_alike


def train_bezier(
  model,
  first,
  second,
  data,
  *,
  steps,
  learning_rate=0.01,
  optimizer=None,
  masks=None,
  seed=0,
):
  """Find the control weights of a quadratic Bezier curve of low loss between two networks.

  Minimises the mean over t, uniform in [0, 1], of the loss at the point t of the curve, eq. 2: each
  batch draws one t, and the control's gradient is 2t(1-t) times the point's. The control begins in
  the middle of the line. `connectivity.bezier` gives the curve.

  Departs: statistics of the control are the means of the ends'; for a network with normalisation
  evaluate the curve with statistics="reestimate". Gradients are not scaled for float16.

  Args:
    model: a built and compiled model of either Keras, on one device; its loss is used, with its
      regularisation. Its weights are afterwards as before, also after an error.
    first, second: dicts from path to array, all weights of the model at the curve's ends.
    data: batches of (inputs, targets) or (inputs, targets, weights of the examples), such as a
      `tf.data.Dataset`; begun again where it ends before `steps` do.
    steps: number of updates, at least 1.
    learning_rate: of the default optimizer.
    optimizer: an optimizer of the model's Keras that trains nothing else; None: SGD with momentum
      0.9 and `learning_rate`.
    masks: dict from site path to bool array: places that are False get no gradient, so they stay 0
      where both ends are 0. For ends of two masks give their union. None: all weights.
    seed: int, of the draws of t.

  Returns:
    The control: dict from path to array, of the model's dtypes.

  Raises:
    ValueError: the weights or masks do not fit the model, the model is not compiled or has several
      replicas, the optimizer is of the other Keras, an argument is out of range, or `data` has no batch.
    FloatingPointError: the control is not finite after the training.

  >>> import keras
  >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="fc")])
  >>> model.compile("sgd", "mse")
  >>> ends = [{"fc/kernel": np.array([[value]], "float32")} for value in (-1.0, 1.0)]
  >>> data = [(np.ones((1, 1), "float32"), np.full((1, 1), 3.0, "float32"))]
  >>> control = train_bezier(model, *ends, data, steps=50)
  >>> float(control["fc/kernel"][0, 0]) > 1  # began at 0; the loss is least where the weight is 3
  True
  """
  steps = arguments.whole("steps", steps, least=1)
  if getattr(model, "optimizer", None) is None:
    raise ValueError(f"model {model.name!r} is not compiled. Its loss is needed: compile it first.")
  if model.distribute_strategy.num_replicas_in_sync > 1:
    raise ValueError(
      f"model {model.name!r} has {model.distribute_strategy.num_replicas_in_sync} replicas. A curve "
      "is trained on one device: build the model outside of the strategy."
    )
  weights = {path: _sites.value(variable) for path, variable in _sites.weights(model).items()}
  require_alike(model=weights, first=first, second=second)
  masks = masks or {}
  require_alike(masks=masks, model={path: weights[path] for path in masks if path in weights})
  k = _sites.keras_of(model)
  optimizer = k.optimizers.SGD(learning_rate, momentum=0.9) if optimizer is None else optimizer
  if not isinstance(optimizer, k.optimizers.Optimizer):
    raise ValueError(
      f"optimizer={optimizer!r} must be an optimizer of {k.__name__}, as the model is."
    )
  state = [(variable, _sites.value(variable)) for variable in model.variables]
  try:
    control = _trained(model, first, second, _batches(data, steps), optimizer, masks, seed)
  finally:
    for variable, value in state:
      variable.assign(value)
  if not all(np.isfinite(np.float64(control[path])).all() for path in control):
    raise FloatingPointError(
      f"The curve's control is not finite after {steps} steps: the training diverged. Lower its learning "
      "rate (config.bezier_learning_rate)."
    )
  return control


def _trained(model, first, second, batches, optimizer, masks, seed):
  k = _sites.keras_of(model)
  middle = line(first, second, 0.5)
  trained = {id(variable) for variable in model.trainable_variables}
  places = {p: v for p, v in _sites.weights(model).items() if id(v) in trained}
  new_variable = k.Variable if hasattr(k, "Variable") else tf.Variable
  control = {p: new_variable(middle[p], dtype=v.dtype) for p, v in places.items()}
  optimizer.build(list(control.values()))
  ends = [
    {path: tf.constant(end[path], v.dtype) for path, v in places.items()} for end in (first, second)
  ]
  masks = {path: tf.constant(np.asarray(mask, bool)) for path, mask in masks.items()}

  @tf.function(reduce_retracing=True)
  def step(batch, t):
    x, y, sample_weight = k.utils.unpack_x_y_sample_weight(batch)
    for path, variable in places.items():
      at = zip(bezier_shares(t), (ends[0][path], control[path], ends[1][path]), strict=True)
      variable.assign(sum(tf.cast(share, variable.dtype) * part for share, part in at))
    with tf.GradientTape() as tape:
      y_pred = model(x, training=True)
      loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
    gradients = tape.gradient(loss, list(places.values()), unconnected_gradients="zero")
    pairs = []
    for (path, variable), gradient in zip(control.items(), gradients, strict=True):
      gradient = tf.convert_to_tensor(gradient)  # an embedding's is sparse
      gradient *= tf.cast(bezier_shares(t)[1], gradient.dtype)
      if path in masks:
        gradient = tf.where(masks[path], gradient, tf.zeros_like(gradient))
      pairs.append((gradient, variable))
    optimizer.apply_gradients(pairs)

  rng = np.random.default_rng(seed)
  for batch in batches:
    step(batch, tf.constant(rng.uniform(), tf.float32))
  return middle | {path: _sites.value(variable) for path, variable in control.items()}


def _batches(data, steps):
  """The first `steps` batches of the data, which begin again where they end."""
  count = 0
  while count < steps:
    before = count
    for batch in data:
      if count == steps:
        return
      yield batch
      count += 1
    if count == before:
      raise ValueError(f"data={data!r} has no batch. Give batches that can be gone through again.")
