"""Which weights of which models are sites, by which paths."""

import numpy as np
import pytest
from builders import mlp
from hypothesis import given
from hypothesis import strategies as st

import tflottery as tfl
from tflottery import site as _sites


def test_kernels_are_sites_and_biases_and_normalisation_stay_dense(k):
  model = k.Sequential(
    [
      k.layers.Input((6, 6, 2)),
      k.layers.Conv2D(4, 3, name="conv"),
      k.layers.BatchNormalization(name="norm"),
      k.layers.DepthwiseConv2D(2, name="depthwise"),
      k.layers.LayerNormalization(name="layer_norm"),
      k.layers.Flatten(),
      k.layers.Dense(3, name="out"),
    ]
  )
  shapes = {path: site.shape for path, site in tfl.sites(model).items()}
  depthwise = "kernel" if k.__name__ == "keras" else "depthwise_kernel"
  assert shapes == {
    "conv/kernel": (3, 3, 2, 4),
    f"depthwise/{depthwise}": (2, 2, 4, 1),
    "out/kernel": (36, 3),
  }


def test_sites_carry_variable_layer_and_initializer(k):
  model = mlp(k)
  site = tfl.sites(model)["fc1/kernel"]
  assert site.path == "fc1/kernel"
  assert site.layer is model.get_layer("fc1")
  assert site.variable is model.get_layer("fc1").kernel
  assert site.initializer is model.get_layer("fc1").kernel_initializer
  assert site.wrapper is None and site.wrapper_mask is None


def test_a_path_counts_from_the_model_wherever_it_is_nested(k):
  inner = k.Sequential([k.layers.Input((4,)), k.layers.Dense(4, name="fc")], name="inner")
  outer = k.Sequential([k.layers.Input((4,)), inner, k.layers.Dense(2, name="fc")])
  assert set(tfl.sites(outer)) == {"inner/fc/kernel", "fc/kernel"}
  assert set(tfl.sites(inner)) == {"fc/kernel"}


def test_a_layer_that_is_used_twice_is_one_site(k):
  shared = k.layers.Dense(4, name="shared")
  inputs = k.layers.Input((4,))
  model = k.Model(inputs, shared(shared(inputs)))
  assert set(tfl.sites(model)) == {"shared/kernel"}


def test_layers_of_one_name_get_paths_of_their_own(k):
  class Twins(k.Model):
    def __init__(self):
      super().__init__()
      self.a, self.b = k.layers.Dense(2, name="fc"), k.layers.Dense(3, name="fc")

    def call(self, x):
      return self.b(self.a(x))

  model = Twins()
  model(np.zeros((1, 4), "float32"))
  found = tfl.sites(model)
  assert len(found) == 2
  assert sorted(site.shape for site in found.values()) == [(2, 3), (4, 2)]


def test_a_frozen_layer_is_no_site(k):
  model = mlp(k)
  model.get_layer("fc2").trainable = False
  assert set(tfl.sites(model)) == {"fc1/kernel", "out/kernel"}


def test_only_and_exclude_search_in_paths(k):
  model = mlp(k)
  assert set(tfl.sites(model, only="^fc")) == {"fc1/kernel", "fc2/kernel"}
  assert set(tfl.sites(model, only=["fc1", "out"])) == {"fc1/kernel", "out/kernel"}
  assert set(tfl.sites(model, exclude="fc1")) == {"fc2/kernel", "out/kernel"}
  assert set(tfl.sites(model, only="^fc", exclude=["fc2"])) == {"fc1/kernel"}


def test_only_can_name_a_custom_weight_of_rank_two(k):
  class Bilinear(k.layers.Layer):
    def build(self, shape):
      self.core = self.add_weight(name="core", shape=(shape[-1], 3), initializer="ones")
      self.bias = self.add_weight(name="bias", shape=(3,), initializer="zeros")

    def call(self, x):
      return x @ self.core + self.bias

  model = k.Sequential([k.layers.Input((4,)), Bilinear(name="own"), k.layers.Dense(2, name="out")])
  assert set(tfl.sites(model)) == {"out/kernel"}
  assert set(tfl.sites(model, only="core")) == {"own/core"}


@pytest.mark.parametrize("argument", ["only", "exclude"])
def test_a_pattern_that_matches_nothing_names_argument_value_and_weights(k, argument):
  with pytest.raises(ValueError) as caught:
    tfl.sites(mlp(k), **{argument: "dense_7"})
  text = str(caught.value)
  assert f"{argument}='dense_7' matches no" in text
  assert "fc1/kernel" in text and "out/kernel" in text


def test_a_pattern_that_is_no_regular_expression_is_refused(k):
  with pytest.raises(ValueError, match=r"only='fc\(' is not a regular expression"):
    tfl.sites(mlp(k), only="fc(")


def test_only_and_exclude_that_leave_nothing_are_refused(k):
  with pytest.raises(ValueError, match=r"no prunable weight.*leave none of"):
    tfl.sites(mlp(k), only="fc1", exclude="fc1")


def test_a_model_without_a_prunable_weight_is_refused(k):
  model = k.Sequential([k.layers.Input((4,)), k.layers.BatchNormalization()], name="bare")
  with pytest.raises(ValueError, match="'bare' has no prunable weight"):
    tfl.sites(model)


def test_a_model_that_is_not_built_is_refused(k):
  with pytest.raises(ValueError, match="not built"):
    tfl.sites(k.Sequential([k.layers.Dense(3)]))


def test_what_is_no_model_is_refused():
  with pytest.raises(TypeError, match="model must be a model"):
    tfl.sites([1, 2])


def test_weights_list_statistics_but_no_metrics_or_seeds(k):
  model = k.Sequential(
    [
      k.layers.Input((4,)),
      k.layers.Dense(3, name="fc"),
      k.layers.BatchNormalization(name="norm"),
      k.layers.Dropout(0.5),
    ]
  )
  model.compile("adam", "mse", metrics=["mae"])
  model.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
  names = {"gamma", "beta", "moving_mean", "moving_variance"}
  assert set(_sites.weights(model)) == {"fc/kernel", "fc/bias"} | {f"norm/{n}" for n in names}


@given(st.integers(0, 50), st.integers(0, 50))
def test_canonical_paths_do_not_know_where_keras_began_to_count(first, second):
  def build(start):
    def name(stem, i):
      return f"{stem}_{start + i}" if start + i else stem

    return [
      f"{name('dense', 0)}/kernel",
      f"{name('dense', 0)}/bias",
      f"{name('dense', 1)}/kernel",
      f"{name('sequential', 0)}/{name('dense', 2)}/kernel",
      "head/kernel",
    ]

  assert _sites.canonical(build(first)) == _sites.canonical(build(second))
  assert len(set(_sites.canonical(build(first)))) == 5


def test_canonical_paths_keep_different_networks_apart():
  assert _sites.canonical(["fc/kernel"]) != _sites.canonical(["out/kernel"])


# --- tfmot ---------------------------------------------------------------------------------------


def _wrapped_mlp(tfmot):
  import tf_keras

  model = mlp(tf_keras)
  prune = tfmot.sparsity.keras.prune_low_magnitude
  wrapped = tf_keras.models.clone_model(
    model, clone_function=lambda layer: layer if layer.name == "out" else prune(layer)
  )
  wrapped.compile("adam", "mse")
  return wrapped


def test_sites_of_a_wrapped_model_are_what_is_wrapped_by_paths_without_the_wrapper(tfmot):
  model = _wrapped_mlp(tfmot)
  found = tfl.sites(model)
  assert set(found) == {"fc1/kernel", "fc2/kernel"}
  for site in found.values():
    weight, mask, _ = site.wrapper.pruning_vars[0]
    assert site.variable is weight and site.wrapper_mask is mask
    assert site.layer.name in ("fc1", "fc2")


def test_weights_of_a_wrapped_model_are_those_of_the_plain_one(tfmot):
  import tf_keras

  assert set(_sites.weights(_wrapped_mlp(tfmot))) == set(_sites.weights(mlp(tf_keras)))


def test_the_latency_policy_of_tfmot_chooses_the_pointwise_convolutions(tfmot):
  import tf_keras as k

  inputs = k.layers.Input((8, 8, 3))
  x = k.layers.Conv2D(4, 3, strides=2, padding="valid", name="stem")(
    k.layers.ZeroPadding2D(((1, 1), (1, 1)))(inputs)
  )
  x = k.layers.Conv2D(6, 1, name="pointwise")(x)
  x = k.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
  x = k.layers.Conv2D(5, 1, name="pointwise_2")(x)
  x = k.layers.GlobalAveragePooling2D(keepdims=True)(x)
  model = k.Model(inputs, k.layers.Dense(2, name="out")(x))
  policy = tfmot.sparsity.keras.PruneForLatencyOnXNNPack()
  chosen = tfl.sites(model, policy=policy)
  allowed = {layer.name for layer in model.layers if policy.allow_pruning(layer)}
  assert {path.split("/")[0] for path in chosen} == allowed & {
    "stem",
    "pointwise",
    "pointwise_2",
    "depthwise",
    "out",
  }
  assert "pointwise/kernel" in chosen and "depthwise/depthwise_kernel" not in chosen


def test_a_policy_that_refuses_the_model_is_heard(tfmot):
  policy = tfmot.sparsity.keras.PruneForLatencyOnXNNPack()
  import tf_keras

  with pytest.raises(ValueError, match="Could not find `Conv2D 3x3` layer"):
    tfl.sites(mlp(tf_keras), policy=policy)


def test_a_policy_of_the_users_own_chooses_layers(tfmot, k):
  class Wide(tfmot.sparsity.keras.PruningPolicy):
    def allow_pruning(self, layer):
      return getattr(layer, "units", 0) >= 6

    def ensure_model_supports_pruning(self, model):
      pass

  assert set(tfl.sites(mlp(k), policy=Wide())) == {"fc1/kernel"}

  class Nothing(Wide):
    def allow_pruning(self, layer):
      return False

  with pytest.raises(ValueError, match="no prunable weight allowed by policy="):
    tfl.sites(mlp(k), policy=Nothing())
