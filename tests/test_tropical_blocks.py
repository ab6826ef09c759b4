"""Which Keras models and blocks are read as networks, what is refused, and masks of both kernels."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from builders import KERASES

import tflottery as tfl
from tflottery import site as sites
from tflottery.analysis.tropical.blocks import (
  decision_polytopes,
  network_of,
  paths_of,
  tropical_masks,
)
from tflottery.analysis.tropical.chains import chain
from tflottery.analysis.tropical.magnitude import magnitude_prune
from tflottery.analysis.tropical.pruning import tropical_prune


def randomise(model, seed=0):
  rng = np.random.default_rng(seed)
  model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
  return model


def sequential(k, *layers, shape=(2,)):
  return randomise(k.Sequential([k.Input(shape), *layers]))


def dense(k, *layers, **options):
  """Layers with a Dense of three before them and one of two after."""
  after = k.layers.Dense(2, name="out", **options)
  return sequential(k, k.layers.Dense(3, name="hidden"), *layers, after)


def three(k):
  """Three Dense layers a, b and c."""
  layers = k.layers
  return sequential(
    k,
    layers.Dense(4, "relu", name="a"),
    layers.Dense(3, "relu", name="b"),
    layers.Dense(2, name="c"),
  )


def between(k, function):
  """A functional model of Dense, `function` and Dense."""
  x = k.Input((2,))
  h = function(k.layers.Dense(3, "relu", name="hidden")(x))
  return randomise(k.Model(x, k.layers.Dense(2, name="out")(h)))


def inner(k, *layers):
  return k.Sequential([k.Input((3,)), *layers], name="inner")


def inputs_of(model, seed=1):
  return np.random.default_rng(seed).normal(size=(6, *model.input_shape[1:])).astype("float32")


def softmax(z):
  e = np.exp(z - z.max(1, keepdims=True))
  return e / e.sum(1, keepdims=True)


# what is read

PLAIN = {
  "activation": lambda k: sequential(k, k.layers.Dense(3, "relu"), k.layers.Dense(2)),
  "its function": lambda k: sequential(
    k, k.layers.Dense(3, k.activations.relu), k.layers.Dense(2, k.activations.linear)
  ),
  "tensorflow's function": lambda k: sequential(
    k, k.layers.Dense(3, tf.nn.relu), k.layers.Dense(2)
  ),
  "a layer as the activation": lambda k: sequential(
    k, k.layers.Dense(3, k.layers.ReLU()), k.layers.Dense(2)
  ),
  "a ReLU layer": lambda k: dense(k, k.layers.ReLU()),
  "an Activation layer": lambda k: dense(k, k.layers.Activation("relu")),
  "relu twice": lambda k: dense(k, k.layers.ReLU(), k.layers.Activation("relu")),
  "dropout before": lambda k: dense(k, k.layers.Dropout(0.5), k.layers.ReLU()),
  "dropout and noise after": lambda k: dense(
    k, k.layers.ReLU(), k.layers.Dropout(0.5), k.layers.GaussianNoise(0.1)
  ),
  "what does nothing": lambda k: dense(
    k, k.layers.Activation("linear"), k.layers.ReLU(), k.layers.Flatten()
  ),
  "no biases": lambda k: sequential(
    k, k.layers.Dense(3, "relu", use_bias=False), k.layers.Dense(2, use_bias=False)
  ),
  "images": lambda k: sequential(
    k, k.layers.Flatten(), k.layers.Dense(3, "relu"), k.layers.Dense(2), shape=(2, 3, 2)
  ),
  "reshaped": lambda k: sequential(
    k, k.layers.Reshape((-1,)), k.layers.Dense(3, "relu"), k.layers.Dense(2), shape=(2, 3)
  ),
  "a function of the library's": lambda k: between(k, keras.ops.relu if k is keras else tf.nn.relu),
  "dropout in a model that is in no training": lambda k: between(
    k, lambda h: inner(k, k.layers.Dropout(0.5))(h, training=False)
  ),
  "what draws nothing in a model in training": lambda k: between(
    k, lambda h: inner(k, k.layers.ActivityRegularization(0.1))(h, training=True)
  ),
  "channels first, of one axis": lambda k: sequential(
    k,
    k.layers.Flatten(data_format="channels_first"),
    k.layers.Dense(3, "relu"),
    k.layers.Dense(2),
  ),
  "one input, one unit, many classes": lambda k: sequential(
    k, k.layers.Dense(1, "relu"), k.layers.Dense(7), shape=(1,)
  ),
}


@pytest.mark.parametrize("form", PLAIN)
def test_the_network_has_the_models_logits(k, form):
  model = PLAIN[form](k)
  x = inputs_of(model)
  network = network_of(model)
  assert network.A.dtype == network.c1.dtype == np.float64
  assert network(x.reshape(6, -1)) == pytest.approx(model(x).numpy(), abs=1e-5)


SOFTMAX = {
  "activation": lambda k: dense(k, k.layers.ReLU(), activation="softmax"),
  "tensorflow's function": lambda k: dense(k, k.layers.ReLU(), activation=tf.nn.softmax),
  "a layer": lambda k: sequential(
    k, k.layers.Dense(3, "relu"), k.layers.Dense(2), k.layers.Softmax()
  ),
  "an Activation layer": lambda k: sequential(
    k, k.layers.Dense(3, "relu"), k.layers.Dense(2), k.layers.Activation("softmax")
  ),
}


@pytest.mark.parametrize("form", SOFTMAX)
def test_before_a_softmax_the_logits_are_read(k, form):
  model = SOFTMAX[form](k)
  x = inputs_of(model)
  assert softmax(network_of(model)(x)) == pytest.approx(model(x).numpy(), abs=1e-6)


def test_before_a_log_softmax_the_logits_are_read(k):
  model = dense(k, k.layers.ReLU(), activation="log_softmax")
  x = inputs_of(model)
  assert np.log(softmax(network_of(model)(x))) == pytest.approx(model(x).numpy(), abs=1e-5)


def test_functional_models_and_models_inside_are_read(k):
  encoder = k.Sequential([k.Input((2,)), k.layers.Dense(3, "relu", name="fc")], name="encoder")
  head = k.Sequential([k.layers.Dropout(0.1), k.layers.Dense(2, name="fc")], name="head")
  x = k.Input((2,))
  model = randomise(k.Model(x, head(encoder(x))))
  x = inputs_of(model)
  assert network_of(model)(x) == pytest.approx(model(x).numpy(), abs=1e-5)
  block = ("encoder/fc", "head/fc")
  assert network_of(model, block)(x) == pytest.approx(model(x).numpy(), abs=1e-5)
  assert list(tropical_masks(model, 0.5)) == ["encoder/fc/kernel", "head/fc/kernel"]
  with pytest.raises(ValueError, match=r"'fc' names several layers.*encoder/fc, head/fc"):
    network_of(model, ("fc", "fc"))


def test_a_model_that_was_built_by_a_call_is_read(k):
  model = k.Sequential([k.layers.Dense(3, "relu"), k.layers.Dense(2)])
  x = np.ones((1, 4), "float32")
  value = model(x).numpy()
  assert network_of(model)(x) == pytest.approx(value, abs=1e-5)


def test_a_model_of_another_ones_layers_is_read_by_its_own_calls(k):
  first, last = k.layers.Dense(3, "relu"), k.layers.Dense(2)
  x, other = k.Input((2,)), k.Input((2,))
  model = randomise(k.Model(x, last(first(x))))
  last(k.layers.Dense(3, "sigmoid")(other))
  x = inputs_of(model)
  assert network_of(model)(x) == pytest.approx(model(x).numpy(), abs=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "mixed_bfloat16"])
def test_weights_of_any_float_dtype_are_read_as_they_are(k, dtype):
  layers = k.layers.Dense(3, "relu", dtype=dtype), k.layers.Dense(2, dtype=dtype)
  network = network_of(sequential(k, *layers))
  assert network.A.dtype == np.float64
  assert (np.asarray(layers[0].kernel.numpy(), float) == network.A.T).all()
  assert (np.asarray(layers[1].kernel.numpy(), float) == network.B.T).all()


def test_the_network_is_a_copy(k):
  model = dense(k, k.layers.ReLU())
  before = model.get_weights()
  network_of(model).A[:] = 7
  assert all((w == b).all() for w, b in zip(model.get_weights(), before, strict=True))


# blocks


def test_a_block_is_read_from_any_place(k):
  model = three(k)
  a, b, _ = model.layers
  x = inputs_of(model)
  before_relu = a(x).numpy() @ b.get_weights()[0] + b.get_weights()[1]
  assert network_of(model, ("a", "b"))(x) == pytest.approx(before_relu, abs=1e-5)
  second = network_of(model, block=["b", "c"])
  assert second(a(x).numpy()) == pytest.approx(model(x).numpy(), abs=1e-5)


def test_a_block_may_lie_beside_other_layers(k):
  layers = k.layers
  x = k.Input((4, 4, 1))
  h = layers.Flatten()(layers.Conv2D(2, 3)(x))
  inner = layers.Dense(8, name="out")(layers.ReLU()(layers.Dense(5, name="in")(h)))
  model = randomise(k.Model(x, layers.Dense(2)(layers.Add(name="add")([h, inner]))))
  network = network_of(model, ("in", "out"))
  assert (network.A.shape, network.B.shape) == ((5, 8), (8, 5))
  with pytest.raises(ValueError, match=r"layer `add` \(Add\)"):
    network_of(model)


@pytest.mark.parametrize(
  ("block", "message"),
  [
    (("a", "c"), r"layer `c` \(Dense\) reads layer `b` \(Dense\).*and not layer `a`"),
    (("b", "a"), r"layer `\w+` \(InputLayer\) comes before layer `a`"),
    (("b", "b"), "reads layer `a`"),
    (("a", "z"), "no layer is called 'z'. Dense layers are: a, b, c"),
    ("ab", "must name two Dense layers"),
    (("a", "b", "c"), "must name two Dense layers"),
    (3, "must name two Dense layers"),
  ],
)
def test_what_is_no_block_is_refused(block, message):
  with pytest.raises(ValueError, match=message):
    network_of(three(keras), block)


def test_a_block_of_other_layers_is_refused(k):
  model = sequential(k, k.layers.BatchNormalization(name="norm"), k.layers.Dense(2, name="fc"))
  with pytest.raises(ValueError, match=r"layer `norm` \(BatchNormalization\) is named by block="):
    network_of(model, ("norm", "fc"))


# what is refused


def derived(k):
  class Doubled(k.layers.Dense):
    def call(self, inputs):
      return 2 * super().call(inputs)

  return sequential(k, Doubled(3, "relu", name="twice"), k.layers.Dense(2))


def masked(k):
  x = k.Input((2,))
  logits = k.layers.Dense(2)(k.layers.Dense(3, "relu")(x))
  return k.Model(x, k.layers.Softmax(name="x")(logits, mask=np.array([[True, False]])))


def flattened(k):
  return k.layers.Flatten(), k.layers.Dense(3, "relu"), k.layers.Dense(2)


def skipping(k):
  x = k.Input((2,))
  h = k.layers.Dense(2, "relu")(x)
  return k.Model(x, k.layers.Dense(2)(k.layers.Add(name="add")([x, h])))


REFUSED = {
  "relu6": (lambda k: dense(k, k.layers.Activation("relu6", name="x")), "`x`.*'relu6'"),
  "sigmoid": (
    lambda k: sequential(k, k.layers.Dense(3, "sigmoid", name="x"), k.layers.Dense(2)),
    r"layer `x` \(Dense\) has the activation 'sigmoid'",
  ),
  "own function": (
    lambda k: sequential(k, k.layers.Dense(3, lambda x: x, name="x"), k.layers.Dense(2)),
    "`x`.*'<lambda>'",
  ),
  "no activation": (lambda k: dense(k), "`hidden`.*needs a plain ReLU"),
  "no activation but dropout": (
    lambda k: dense(k, k.layers.Dropout(0.1)),
    "`hidden`.*needs a plain ReLU",
  ),
  "sigmoid and relu": (
    lambda k: sequential(
      k, k.layers.Dense(3, "sigmoid", name="x"), k.layers.ReLU(), k.layers.Dense(2)
    ),
    "layer `x`.*'sigmoid'",
  ),
  "leaky": (lambda k: dense(k, k.layers.LeakyReLU(name="x")), r"`x` \(LeakyReLU\)"),
  "prelu": (lambda k: dense(k, k.layers.PReLU(name="x")), r"`x` \(PReLU\)"),
  "max_value": (lambda k: dense(k, k.layers.ReLU(6, name="x")), r"`x` \(ReLU\).*no max_value"),
  "negative_slope": (lambda k: dense(k, k.layers.ReLU(negative_slope=0.1, name="x")), "`x`"),
  "threshold": (lambda k: dense(k, k.layers.ReLU(threshold=1, name="x")), "`x`"),
  "a ReLU with max_value as the activation": (
    lambda k: sequential(k, k.layers.Dense(3, k.layers.ReLU(6), name="x"), k.layers.Dense(2)),
    "layer `x`",
  ),
  "softmax between": (lambda k: dense(k, k.layers.Softmax(name="x"), k.layers.ReLU()), "`x`"),
  "normalisation between": (
    lambda k: dense(k, k.layers.BatchNormalization(name="x"), k.layers.ReLU()),
    r"`x` \(BatchNormalization\).*Fold",
  ),
  "normalisation before": (
    lambda k: sequential(
      k, k.layers.BatchNormalization(name="x"), k.layers.Dense(3, "relu"), k.layers.Dense(2)
    ),
    r"`x` \(BatchNormalization\).*Fold",
  ),
  "three": (three, r"`a` \(Dense\).*block="),
  "one": (lambda k: sequential(k, k.layers.Dense(2)), "InputLayer.*two Dense layers"),
  "none": (lambda k: k.Sequential([k.Input((2,)), k.layers.ReLU(name="x")]), r"`x` \(ReLU\) ends"),
  "convolution": (
    lambda k: sequential(
      k,
      k.layers.Conv2D(2, 1, name="x"),
      k.layers.Flatten(),
      k.layers.Dense(3, "relu"),
      k.layers.Dense(2),
      shape=(2, 2, 1),
    ),
    r"`x` \(Conv2D\)",
  ),
  "a network at each place": (
    lambda k: sequential(
      k, k.layers.Dense(3, "relu", name="x"), k.layers.Dense(2, name="y"), shape=(4, 2)
    ),
    "`x`.*3 axes.*Flatten",
  ),
  "flattened between": (
    lambda k: sequential(
      k,
      k.layers.Dense(3, "relu"),
      k.layers.Flatten(name="x"),
      k.layers.Dense(2),
      shape=(4, 2),
    ),
    r"`x` \(Flatten\)",
  ),
  "softmax over the batch": (
    lambda k: sequential(
      k, k.layers.Dense(3, "relu"), k.layers.Dense(2), k.layers.Softmax(axis=0, name="x")
    ),
    r"`x` \(Softmax\)",
  ),
  "sigmoid at the end": (
    lambda k: dense(k, k.layers.ReLU(), activation="sigmoid"),
    "`out`.*'sigmoid'.*block=",
  ),
  "one output": (
    lambda k: sequential(k, k.layers.Dense(3, "relu"), k.layers.Dense(1, name="x")),
    "`x`.*two classes.*Give it two",
  ),
  "derived": (derived, r"`twice` \(Doubled\).*derived"),
  "drawn in inference": (
    lambda k: between(k, lambda h: k.layers.Dropout(0.5, name="x")(h, training=True)),
    "`x`.*training=True. Call it without",
  ),
  "drawn, in a model that is called in training": (
    lambda k: between(k, lambda h: inner(k, k.layers.Dropout(0.5, name="x"))(h, training=True)),
    "`inner/x`.*a model that it is in, is called with training=True",
  ),
  "noise, in a model in such a model": (
    lambda k: between(
      k,
      lambda h: k.Sequential([inner(k, k.layers.GaussianNoise(0.5, name="x"))])(h, training=True),
    ),
    "/inner/x`.*training=True",
  ),
  "channels first": (
    lambda k: sequential(
      k,
      k.layers.Flatten(data_format="channels_first", name="x"),
      k.layers.Dense(3, "relu"),
      k.layers.Dense(2),
      shape=(2, 3),
    ),
    "`x`.*permutes its inputs.*Use 'channels_last'",
  ),
  "another function of the library's": (
    lambda k: between(k, keras.ops.relu6 if k is keras else tf.nn.relu6),
    r"relu6` \((Relu6|TFOpLambda)\)",
  ),
  "a ReLU of the logits": (
    lambda k: sequential(k, k.layers.Dense(3, "relu"), k.layers.Dense(2), k.layers.ReLU(name="x")),
    "`x`.*ends the model, where a Dense layer of logits is needed. Name",
  ),
  "what is random in training": (
    lambda k: sequential(k, k.layers.RandomFlip(name="x"), *flattened(k), shape=(2, 2, 1)),
    "`x`.*one hidden layer is all that is read. Name",
  ),
  "a softmax of some classes": (masked, r"`x` \(Softmax\)"),
  "a sum": (skipping, r"`add` \(Add\)"),
  "a function": (
    lambda k: dense(k, k.layers.ReLU(), k.layers.Lambda(lambda x: x, name="x")),
    r"`x` \(Lambda\)",
  ),
}


@pytest.mark.parametrize("form", REFUSED)
def test_other_forms_are_refused_by_the_name_and_class_of_a_layer(k, form):
  build, message = REFUSED[form]
  with pytest.raises(ValueError, match=message):
    network_of(build(k))


def test_training_that_is_given_by_position_counts_as_well():
  layers = tf_keras.layers
  for function in (
    lambda h: layers.Dropout(0.5)(h, True),
    lambda h: inner(tf_keras, layers.Dropout(0.5))(h, True),
  ):
    with pytest.raises(ValueError, match="is called with training=True"):
      network_of(between(tf_keras, function))


def test_a_calls_own_training_or_that_of_its_model_counts_as_in_each_keras(k):
  x = k.Input((3,))
  drawing = k.Model(x, k.layers.Dropout(0.5)(x, training=True))
  model = between(k, lambda h: drawing(h, training=False))
  x = inputs_of(model)
  if k is keras:
    assert network_of(model)(x) == pytest.approx(model(x).numpy(), abs=1e-5)
  else:
    with pytest.raises(ValueError, match="training=True"):
      network_of(model)


def test_a_class_that_overrides_how_it_is_called_is_refused(k):
  class Doubled(k.Sequential):
    def __call__(self, *args, **kwargs):
      return 2 * super().__call__(*args, **kwargs)

  layers = k.Input((2,)), k.layers.Dense(3, "relu"), k.layers.Dense(2)
  with pytest.raises(ValueError, match=r"\(Doubled\).*a call or __call__ of its own"):
    network_of(Doubled(layers))


def test_several_inputs_or_outputs_are_refused(k):
  x, y = k.Input((2,)), k.Input((2,))
  out = k.layers.Dense(2, name="out")(k.layers.Dense(3, "relu", name="in")(x))
  with pytest.raises(ValueError, match="1 inputs and 2 outputs"):
    network_of(k.Model(x, [out, out]))
  model = k.Model([x, y], k.layers.Add()([out, y]))
  with pytest.raises(ValueError, match="2 inputs and 1 outputs"):
    network_of(model)
  assert network_of(model, ("in", "out")).A.shape == (3, 2)


def test_a_model_inside_with_two_inputs_hides_what_comes_before_it(k):
  u, v = k.Input((2,)), k.Input((2,))
  inner = k.Model([u, v], k.layers.Dense(3, "relu", name="in")(u), name="inner")
  x = k.Input((2,))
  model = k.Model(x, k.layers.Dense(2, name="out")(inner([k.layers.Dense(2)(x), x])))
  with pytest.raises(ValueError, match=r"layer `inner`"):
    network_of(model)
  assert network_of(model, ("inner/in", "out")).A.shape == (3, 2)


def test_what_has_no_graph_is_refused(k):
  with pytest.raises(ValueError, match="not built"):
    network_of(k.Sequential([k.layers.Dense(3, "relu"), k.layers.Dense(2)]))

  class Own(k.Model):
    def __init__(self):
      super().__init__()
      self.first, self.last = k.layers.Dense(3, "relu"), k.layers.Dense(2)

    def call(self, x):
      return self.last(self.first(x))

  model = Own()
  model(np.ones((1, 2), "float32"))
  with pytest.raises(ValueError, match=r"\(Own\).*functional API"):
    network_of(model)


def test_what_is_no_model_is_refused():
  for model in (None, "model", [1]):
    with pytest.raises(TypeError, match="must be a model"):
      network_of(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_their_layer(k, value):
  model = dense(k, k.layers.ReLU())
  model.layers[-1].bias.assign([0, value])
  with pytest.raises(ValueError, match=r"layer `out`.*not finite"):
    decision_polytopes(model)


def test_a_layer_that_is_called_twice_can_be_both_but_has_one_path_and_mask(k):
  layer = k.layers.Dense(2, name="both")
  x = k.Input((2,))
  model = randomise(k.Model(x, layer(k.layers.ReLU()(layer(x)))))
  x = inputs_of(model)
  assert network_of(model)(x) == pytest.approx(model(x).numpy(), abs=1e-5)
  with pytest.raises(ValueError, match=r"`both`.*called 2 times"):
    network_of(model, ("both", "both"))
  for function in (paths_of, lambda model: tropical_masks(model, 0.5)):
    with pytest.raises(ValueError, match=r"`both`.*is both layers.*Give each its own layer"):
      function(model)


@pytest.mark.parametrize("k", KERASES)
def test_supermask_models_are_refused_and_their_plain_models_are_read(k):
  model = tfl.supermask(dense(k, k.layers.ReLU()))
  with pytest.raises(ValueError, match=r"`hidden` \(\w+\).*learned.plain"):
    network_of(model)
  assert not network_of(tfl.learned.plain(model)).A.any()


def test_lora_is_added_and_has_no_path(tmp_path):
  model = dense(keras, keras.layers.ReLU())
  model.layers[0].enable_lora(1)
  model.layers[0].lora_kernel_b.assign([[1.0, 2.0, 3.0]])
  x = inputs_of(model)
  expected = model(x).numpy()
  assert network_of(model)(x) == pytest.approx(expected, abs=1e-5)
  for function in (paths_of, lambda model: tropical_masks(model, 0.5)):
    with pytest.raises(ValueError, match=r"layer `hidden`.*LoRA.*Save the model's weights"):
      function(model)
  model.save_weights(tmp_path / "merged.weights.h5")
  plain = dense(keras, keras.layers.ReLU())
  plain.load_weights(tmp_path / "merged.weights.h5")
  assert network_of(plain)(x) == pytest.approx(expected, abs=1e-5)
  assert "c1" in paths_of(plain)


@pytest.mark.slow
def test_quantized_layers_are_refused():
  model = dense(keras, keras.layers.ReLU())
  model.quantize("int8")
  for function in (network_of, paths_of):
    with pytest.raises(ValueError, match=r"layer `hidden`.*quantized"):
      function(model)


@pytest.mark.slow
def test_what_tfmot_wraps_is_refused_with_its_own_cure(tfmot):
  def built():
    return dense(tf_keras, tf_keras.layers.ReLU())

  clustering = tfmot.clustering.keras
  start = clustering.CentroidInitialization.LINEAR
  for wrapped, message in [
    (tfmot.sparsity.keras.prune_low_magnitude(built()), r"\(PruneLowMagnitude\).*strip_pruning"),
    (
      clustering.cluster_weights(built(), number_of_clusters=2, cluster_centroids_init=start),
      r"\(ClusterWeights\).*strip_clustering",
    ),
    (tfmot.quantization.keras.quantize_model(built()), r"\(Quantize\w+\).*before its quantization"),
  ]:
    with pytest.raises(ValueError, match=message):
      network_of(wrapped)


# paths


def test_paths_are_those_of_the_weights_that_the_network_has(k):
  model = three(k)
  assert paths_of(model, ("b", "c")) == {
    "A": "b/kernel", "B": "c/kernel", "c1": "b/bias", "c2": "c/bias",
  }  # fmt: skip
  network, weights = network_of(model, ("a", "b")), sites.weights(model)
  for name, path in paths_of(model, ("a", "b")).items():
    assert (getattr(network, name) == sites.value(weights[path]).T).all()


def test_paths_follow_the_calls_and_not_the_order_of_the_layers(k):
  first, last = k.layers.Dense(2, "relu", use_bias=False), k.layers.Dense(2)
  x = k.Input((2,))
  last(k.Input((2,)))
  after = k.Sequential([k.Input((2,)), last], name="after")
  norm = k.layers.BatchNormalization()
  model = k.Model(x, norm(after(first(norm(x)))))
  block = (first.name, last.name)
  expected = {"A": f"{first.name}/kernel", "B": f"after/{last.name}/kernel"}
  assert paths_of(model, block) == expected | {"c2": f"after/{last.name}/bias"}
  with pytest.raises(ValueError, match="BatchNormalization"):
    paths_of(model)


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_paths_are_found_in_any_float_dtype(k, dtype):
  model = sequential(k, k.layers.Dense(3, "relu", dtype=dtype), k.layers.Dense(2, dtype=dtype))
  assert list(paths_of(model).values()) == [
    f"{layer.name}/{weight}" for weight in ("kernel", "bias") for layer in model.layers
  ]


# polytopes and masks


@pytest.fixture(scope="module")
def model():
  return dense(keras, keras.layers.ReLU())


def test_the_polytopes_are_those_of_the_logits(model):
  x = inputs_of(model)
  first, second = decision_polytopes(model, (1, 0)).values(x)
  logits = model(x).numpy()
  assert first - second == pytest.approx(logits[:, 1] - logits[:, 0], abs=1e-5)
  block = decision_polytopes(model, block=("hidden", "out"))
  assert block.pair == (0, 1)
  assert len(block.hull()) > 2


@pytest.mark.parametrize("pair", [(0, 2), (1, 1), (0,), 3, (-1, 0)])
def test_a_pair_that_names_no_two_classes_is_refused(model, pair):
  with pytest.raises(ValueError, match="pair="):
    decision_polytopes(model, pair)


@pytest.mark.parametrize("rule", ["tropical", "class_blind", "class_uniform", "class_distribution"])
def test_masks_are_those_of_the_network_turned(k, rule):
  model = three(k)
  masks = tropical_masks(model, 0.4, block=("a", "b"), rule=rule)
  assert list(masks) == ["a/kernel", "b/kernel"]
  network = network_of(model, ("a", "b"))
  if rule == "tropical":
    expected = tropical_prune(network.A, network.B, 0.4, c1=network.c1)
  else:
    expected = magnitude_prune(network.A, network.B, 0.4, rule=rule)
  assert (masks["a/kernel"] == expected.masks[0].T).all()
  assert (masks["b/kernel"] == expected.masks[1].T).all()
  assert {path: mask.shape for path, mask in masks.items()} == {
    "a/kernel": (2, 4),
    "b/kernel": (4, 3),
  }
  assert all(mask.dtype == bool for mask in masks.values())


def test_masks_can_be_held_and_captured(k):
  model = dense(k, k.layers.ReLU())
  model.compile("sgd", "mse")
  masks = tropical_masks(model, 0.5)
  with tfl.hold(model, masks):
    network = network_of(model)
    assert (network.A == 0).sum() + (network.B == 0).sum() >= 6
    again = tropical_masks(model, tfl.masks.sparsity(masks))
    assert all((again[path] == mask).all() for path, mask in masks.items())
    assert tfl.capture(model).masks.keys() == masks.keys()


def test_arguments_of_masks_are_checked(model):
  with pytest.raises(ValueError, match=r"rule='magnitude' is unknown.*'tropical', 'class_blind'"):
    tropical_masks(model, 0.5, rule="magnitude")
  with pytest.raises(ValueError, match="share=1"):
    tropical_masks(model, 1)


def test_a_frozen_layer_has_no_masks(k):
  model = dense(k, k.layers.ReLU())
  model.layers[0].trainable = False
  assert network_of(model).A.shape == (3, 2)
  with pytest.raises(ValueError, match=r"`hidden`.*not trainable"):
    tropical_masks(model, 0.5)
  model.trainable = False
  assert paths_of(model)["A"] == "hidden/kernel"
  with pytest.raises(ValueError, match=r"`hidden`.*not trainable"):
    tropical_masks(model, 0.5)


def test_calls_say_who_they_are(model):
  assert [str(call) for call in chain(model, None)] == [
    "layer `hidden` (Dense)",
    "layer `out` (Dense)",
  ]
