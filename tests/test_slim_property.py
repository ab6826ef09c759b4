"""slim(model, masks) computes what the model does whose masked channels are 0, on random networks."""

import graphs
import hypothesis
import numpy as np
import oracle
import pytest
from hypothesis import strategies as st

from tflottery import site as _sites
from tflottery import structured

ONCE = hypothesis.settings(
  derandomize=True,
  database=None,
  deadline=None,
  suppress_health_check=list(hypothesis.HealthCheck),
  phases=[hypothesis.Phase.generate],
)


def drawn_masks(found, seed, *, together):
  """Masks of whole classes at all sites, or of most sites, each by itself.

  Channel 0 of each stays, and what is fixed.
  """
  rng = np.random.default_rng(seed)
  highest = max(max(found.classes(path)) for path in found.sites)
  gone = rng.random(highest + 1) < 0.5
  masks = {}
  for path in found.sites:
    classes = found.classes(path)
    stays = np.array([int(one) in found.fixed for one in classes])
    stays[0] = True
    if together or rng.random() < 0.8:
      masks[path] = stays | ~(gone[classes] if together else rng.random(len(classes)) < 0.4)
  return masks


def agree(k, model, masks):
  """Whether the slim model computes what the zeroed one does; None if slim refuses the masks."""
  inputs = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])).astype("float32")
  before = _sites.weights(model)
  before = {path: _sites.value(variable) for path, variable in before.items()}
  try:
    small = structured.slim(model, masks)
  except ValueError as error:
    assert "without a channel" in str(error) or "is not 0" in str(error)
    return None
  for path, variable in _sites.weights(model).items():
    np.testing.assert_array_equal(_sites.value(variable), before[path], path)
  oracle.zeroed(k, model, masks, np.concatenate([inputs, 10 * inputs, -10 * inputs]))
  expected = np.array(model(inputs))
  np.testing.assert_allclose(small(inputs), expected, atol=1e-5 * max(1, abs(expected).max()))
  return small


def slimmed(k, plan, together):
  """The parameters of the network of a plan, and of the slim one; None if its masks are refused."""
  model = graphs.built(k, plan)
  masks = drawn_masks(structured.groups(model), plan.seed, together=together)
  small = agree(k, model, masks)
  return None if small is None else (model.count_params(), small.count_params())


# Between them every kind of step, and every head.
ONE_AFTER_ANOTHER = graphs.Plan(
  [
    *[("conv", (4, 2, 2)), ("norm", (2, 0, 0)), ("relu", (0, 0, 0)), ("depthwise", (1, 0, 2))],
    *[("norm", (2, 0, 0)), ("prelu", (3, 0, 0)), ("separable", (4, 1, 0)), ("leaky", (0, 0, 0))],
    *[("norm_without_scale", (2, 0, 0)), ("pool", (0, 0, 0)), ("grouped", (1, 0, 3))],
    *[("layer_norm", (2, 0, 0)), ("up", (0, 0, 0)), ("pad", (0, 0, 0)), ("crop", (0, 0, 0))],
  ],
  *["flatten", True, 1],
)
BRANCHES = graphs.Plan(
  [
    *[("sum_with_conv", (0, 0, 0)), ("swish", (0, 0, 0)), ("conv", (2, 0, 3)), ("gate", (3, 0, 0))],
    *[("concatenate", (1, 0, 0)), ("norm", (2, 0, 0)), ("depthwise_by_groups", (1, 3, 0))],
    *[
      ("drop", (0, 0, 0)),
      ("maximum", (2, 0, 0)),
      ("average", (0, 0, 0)),
      ("transposed", (3, 1, 0)),
    ],
  ],
  *["reshape_back", False, 2],
)
JOINS = graphs.Plan(
  [
    *[("conv", (2, 1, 0)), ("multiply", (0, 0, 0)), ("conv", (3, 0, 3)), ("subtract", (1, 0, 0))],
    *[("scaled", (0, 0, 0)), ("average_of", (1, 0, 0)), ("add", (2, 0, 0)), ("stack", (0, 0, 0))],
  ],
  *["global", False, 3],
)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
  "plan", [ONE_AFTER_ANOTHER, BRANCHES, JOINS], ids=["one", "branches", "joins"]
)
def test_networks_of_every_kind_agree_with_the_ones_whose_channels_are_0(k, plan, together):
  dense, slim = slimmed(k, plan, together)
  assert slim < (0.6 if together else 0.95) * dense


@hypothesis.settings(ONCE, max_examples=2)
@hypothesis.given(graphs.plans(), st.booleans())
def test_random_networks_agree_with_the_ones_whose_channels_are_0(k, plan, together):
  hypothesis.assume(slimmed(k, plan, together))


@pytest.mark.slow
@hypothesis.settings(ONCE, max_examples=150)
@hypothesis.given(graphs.plans(most=14), st.booleans())
def test_more_random_networks_agree_with_the_ones_whose_channels_are_0(k, plan, together):
  hypothesis.assume(slimmed(k, plan, together))
