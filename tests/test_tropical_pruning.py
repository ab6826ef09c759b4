"""What tropical pruning and the magnitude rules set to 0, in networks of a few weights."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from tflottery.analysis.tropical.generators import generators, support
from tflottery.analysis.tropical.magnitude import RULES, magnitude_prune
from tflottery.analysis.tropical.pruning import shrink, tropical_prune

pytestmark = pytest.mark.filterwarnings("error")
RULE_NAMES = ["class_blind", "class_uniform", "class_distribution"]


def scales(B):
  """[pairs, p], the d_ik of all ordered pairs of classes."""
  pairs = itertools.permutations(range(len(B)), 2)
  return np.array([np.maximum(B[i], 0) + np.maximum(-B[k], 0) for i, k in pairs])


def objective(A, B, new_A, new_B, penalty):
  G = scales(B)[:, :, None] * A
  new_G = scales(new_B)[:, :, None] * new_A
  return ((new_G - G) ** 2).sum() / 2 + penalty * np.linalg.norm(new_G, axis=2).sum()


def network(seed, p=3, n=2, m=3):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(p, n)), rng.normal(size=(m, p))


def masked(found):
  return [mask.tolist() for mask in found.masks]


# the surrogate


@pytest.mark.parametrize("m", [2, 3, 4])
def test_no_search_over_both_matrices_finds_less_than_the_minimum(m):
  A, B = network(m, p=2, m=m)
  B[0, 0] = 0
  for penalty in (0.1, 0.5, 2.0):
    least = objective(A, B, A, shrink(A, B, penalty), penalty)

    def value(x, penalty=penalty):
      return objective(A, B, x[:4].reshape(2, 2), x[4:].reshape(m, 2), penalty)

    start = np.concatenate([A.ravel(), B.ravel()])
    found = minimize(value, start, method="Powell", options={"xtol": 1e-6, "ftol": 1e-9})
    assert least <= found.fun + 1e-9
    assert least == pytest.approx(found.fun, rel=0.02)


@pytest.mark.parametrize("m", [2, 3, 6])
def test_the_papers_turns_for_either_matrix_fall_to_the_same_minimum(m):
  A, B = network(m, p=4, n=3, m=m)
  penalty, sign = 0.4, np.sign(B)
  new_A, beta = A.copy(), np.abs(B)
  pairs = list(itertools.permutations(range(m), 2))
  # d = L beta for each unit, with L [pairs, m]: 1 where i of the pair is positive, k negative
  L = np.array([[[(c == i) * (s > 0) + (c == k) * (s < 0) for c, s in enumerate(column)]
                 for i, k in pairs] for column in sign.T], float)  # fmt: skip
  values = []
  for _ in range(300):
    d0, d = scales(B), scales(sign * beta)
    mean = ((d * d0).sum(0)[:, None]) * A
    lengths = np.maximum(np.linalg.norm(mean, axis=1), 1e-300)
    factor = np.maximum(1 - penalty * d.sum(0) / lengths, 0) / np.maximum((d**2).sum(0), 1e-300)
    new_A = factor[:, None] * mean
    norms = np.linalg.norm(new_A, axis=1)
    for j in np.flatnonzero(norms):
      target = d0[:, j] * (A[j] @ new_A[j])
      for _ in range(5):
        slope = L[j].T @ (L[j] @ beta[:, j] * norms[j] ** 2 - target + penalty * norms[j])
        beta[:, j] = np.maximum(beta[:, j] - slope / (2 * (m - 1) * norms[j] ** 2), 0)
    values.append(objective(A, B, new_A, sign * beta, penalty))
  least = objective(A, B, A, shrink(A, B, penalty), penalty)
  assert (np.diff(values) <= 1e-12).all()
  assert values[-1] >= least - 1e-9
  assert values[-1] == pytest.approx(least, rel=1e-5)


def test_with_two_classes_each_generator_shrinks_alone():
  A, B = [[3, 4], [0, 1], [6, 8]], [[2, 3, -1], [1, -4, -3]]
  first, second = generators(A, shrink(A, B, 5), pair=(0, 1))
  # lengths (10, 7, 30) and (5, 0, 10), and 5 off each
  assert np.linalg.norm(first, axis=1) == pytest.approx([5, 2, 25])
  assert np.linalg.norm(second, axis=1) == pytest.approx([0, 0, 5])


def test_one_positive_class_among_negative_ones_waits_for_the_first_of_them():
  B = np.array([[0.1], [-1.0], [-2.0]])
  # Until -1 is 0 it stays; then both shrink by 2/3 of what the penalty grows, and the last by all of it.
  assert shrink([[1]], B, 0.5).ravel() == pytest.approx([0.1, -0.5, -1.5])
  assert shrink([[1]], B, 1.0).ravel() == pytest.approx([0.1, 0, -1])
  assert shrink([[1]], B, 1.15).ravel() == pytest.approx([0, 0, -0.9])
  assert shrink([[1]], B, 2.0).ravel() == pytest.approx([0, 0, -0.05])
  assert not shrink([[1]], B, 2.1).any()


def test_without_a_penalty_nothing_shrinks():
  A, B = network(0)
  A[1] = 0
  assert shrink(A, B, 0) == pytest.approx(B)


def test_a_penalty_shrinks_all_of_a_unit_of_length_zero():
  assert shrink([[0, 0], [1, 0]], [[5, 5], [5, 5]], 1).tolist() == [[0, 4], [0, 4]]


@pytest.mark.parametrize("m", range(2, 8))
def test_all_are_exactly_zero_in_the_end(m):
  A, B = network(0, p=300, m=m)
  assert not shrink(A, B, 1e6).any()
  assert not shrink(A, np.round(3 * B) / 3, 1e6).any()


@pytest.mark.parametrize("penalty", [-1, float("nan"), float("inf"), None, True])
def test_a_penalty_that_is_none_is_refused(penalty):
  with pytest.raises(ValueError, match="penalty="):
    shrink([[1]], [[1], [2]], penalty)


# what goes


@pytest.mark.parametrize("m", [2, 3, 5])
def test_what_goes_is_what_the_minimum_has_at_zero(m):
  A, B = network(m, p=12, m=m)
  c1 = np.random.default_rng(1).normal(size=12)
  for share in (0.1, 0.4, 0.8):
    found = tropical_prune(A, B, share, c1=c1)
    zeros = shrink(A, B, found.penalty * (1 + 1e-9), c1=c1) == 0
    assert (zeros == ~found.masks[1]).all()
    assert (shrink(A, B, found.penalty * (1 - 1e-6), c1=c1) == 0).sum() == zeros.sum() - 1


def test_units_go_in_the_order_of_their_generators():
  A, B = [[1, 0], [3, 0], [0, 2]], [[1, 1, 1], [1, 1, 1]]
  found = tropical_prune(A, B, 0.5)
  assert masked(found) == [
    [[False, False], [True, False], [False, True]],
    [[False, True, True], [False, True, True]],
  ]
  assert found.share == 0.5  # three entries of A were 0 before
  assert found.penalty == 1
  assert found.A.tolist() == [[0, 0], [3, 0], [0, 2]]


def test_what_is_kept_has_its_value_from_before():
  A, B = network(5, p=20)
  found = tropical_prune(A, B, 0.5)
  assert (np.where(found.masks[0], A, 0) == found.A).all()
  assert (np.where(found.masks[1], B, 0) == found.B).all()
  assert found.A.dtype == found.B.dtype == np.float64


@pytest.mark.parametrize("m", [2, 3, 10])
def test_the_share_is_reached_and_passed_by_less_than_a_unit(m):
  A, B = network(m, p=30, n=4, m=m)
  size = A.size + B.size
  for share in (0.01, 0.1, 1 / 3, 0.5, 0.77, 0.99):
    found = tropical_prune(A, B, share)
    zeros = (found.A == 0).sum() + (found.B == 0).sum()
    assert found.share == zeros / size
    assert share * size <= zeros + 1e-6
    assert zeros < share * size + 5


def test_a_share_that_is_a_whole_number_of_entries_is_not_rounded_up():
  A, B = np.ones((2, 1)), np.ones((4, 2)) * [[1], [2], [3], [4]]
  share = 0.1 + 0.2
  assert share * 10 > 3
  assert tropical_prune(A, B, share).share == 0.3


def test_a_unit_has_a_row_as_long_as_it_has_weights_in_b():
  for seed in range(5):
    found = tropical_prune(*network(seed, p=20, m=4), 0.6)
    assert (found.masks[0].any(1) == found.masks[1].any(0)).all()
    assert not found.masks[0].all()
    assert found.masks[0].any()


def test_share_zero_returns_the_network():
  A, B = network(0)
  A[0], B[:, 1] = 0, 0
  found = tropical_prune(A, B, 0)
  assert (found.A == A).all()
  assert (found.B == B).all()
  assert (found.masks[0] == (A != 0)).all()
  assert (found.share, found.penalty) == (5 / 15, 0.0)


def test_zeros_from_before_count_and_stay():
  A, B = [[0, 1], [2, 3]], [[0, 5], [1, 0]]
  for share in (0.2, 3 / 8):
    found = tropical_prune(A, B, share)
    assert (found.A == A).all()
    assert (found.B == B).all()
    assert found.share == 3 / 8
  more = tropical_prune(A, B, 0.4)
  assert (more.A.tolist(), more.B.tolist()) == ([[0, 0], [2, 3]], [[0, 5], [0, 0]])


def test_what_does_nothing_goes_first():
  A, B = [[0, 0], [9, 9], [0.1, 0]], [[7, 0, 0.1], [7, 0, -0.1]]
  found = tropical_prune(A, B, 9 / 12)
  assert found.A.tolist() == [[0, 0], [0, 0], [0.1, 0]]
  assert found.B.tolist() == [[0, 0, 0.1], [0, 0, -0.1]]
  assert found.penalty == 0


def test_the_row_of_a_unit_without_weights_in_b_goes_before_all_others():
  found = tropical_prune([[9, 9], [1, 0]], [[0, 1], [0, 1]], 0.5)
  assert (found.A.tolist(), found.B.tolist()) == ([[0, 0], [1, 0]], [[0, 1], [0, 1]])
  assert found.share == 5 / 8
  kept = tropical_prune([[9, 9], [0, 0]], [[0, 1], [0, 1]], 0.5)
  assert kept.A.tolist() == [[9, 9], [0, 0]]  # half were 0 before


def test_of_equal_units_the_lower_go_first_and_only_as_many_as_are_needed():
  A, B = np.ones((6, 2)), np.ones((2, 6))
  found = tropical_prune(A, B, 0.5)
  assert found.share == 0.5
  assert found.masks[1].tolist() == [[False] * 3 + [True] * 3] * 2


def test_of_equal_entries_of_a_unit_the_lower_class_goes_first():
  found = tropical_prune([[1], [5]], [[1, 1], [1, 1], [1, 1]], 0.25)
  assert found.B.tolist() == [[0, 1], [0, 1], [1, 1]]
  assert found.A.tolist() == [[1], [5]]


def test_biases_are_coordinates_of_the_rows_but_are_not_counted():
  A, B = [[1], [2]], [[1, 1], [1, 1]]
  without, with_biases = tropical_prune(A, B, 0.5), tropical_prune(A, B, 0.5, c1=[9, 0])
  assert (without.A.tolist(), with_biases.A.tolist()) == ([[0], [2]], [[1], [0]])
  assert without.share == with_biases.share == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_same_units_go_in_another_order_and_at_another_scale(seed):
  A, B = network(seed, p=15, m=4)
  found = tropical_prune(A, B, 0.5)
  rng = np.random.default_rng(seed)
  order, factors = rng.permutation(15), rng.uniform(0.1, 10, size=15)
  permuted = tropical_prune(A[order], B[:, order], 0.5)
  assert (permuted.masks[0] == found.masks[0][order]).all()
  assert (permuted.masks[1] == found.masks[1][:, order]).all()
  scaled = tropical_prune(A * factors[:, None], B / factors, 0.5)
  assert masked(scaled) == masked(found)


def test_the_same_entries_go_when_classes_or_inputs_are_turned():
  A, B = network(1, p=15, n=3, m=4)
  found = tropical_prune(A, B, 0.5)
  assert (tropical_prune(A, B[::-1], 0.5).masks[1] == found.masks[1][::-1]).all()
  turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
  assert masked(tropical_prune(A @ turn, B, 0.5)) == masked(found)


def test_almost_all_may_go():
  found = tropical_prune(*network(0), 0.99)
  assert found.share == 1
  assert not found.A.any()


def distance(A, B, found):
  """How far the hulls of both networks are apart, over all pairs of classes and some directions."""
  angles = np.linspace(0, 2 * np.pi, 360)
  x = np.stack([np.cos(angles), np.sin(angles)], 1)

  def hull(A, B, pair):
    return np.max([support(G, x) for G in generators(A, B, pair=pair)], 0)

  pairs = itertools.combinations(range(len(B)), 2)
  return np.mean([np.abs(hull(A, B, p) - hull(found.A, found.B, p)).max() for p in pairs])


@pytest.mark.parametrize("m", [2, 4])
def test_planar_polytopes_stay_closer_than_with_magnitudes(m):
  for share in (0.3, 0.5, 0.7):
    found = dict.fromkeys(["tropical", "shrunk", *RULES], 0)
    for seed in range(8):
      A, B = network(seed, p=40, m=m)
      pruned = tropical_prune(A, B, share)
      found["tropical"] += distance(A, B, pruned)
      shrunk = type(pruned)(A, shrink(A, B, pruned.penalty), pruned.masks, pruned.share)
      found["shrunk"] += distance(A, B, shrunk)
      for rule in RULES:
        found[rule] += distance(A, B, magnitude_prune(A, B, share, rule=rule))
    assert min(found, key=found.get) == "tropical", found


@pytest.mark.parametrize("prune", [tropical_prune, magnitude_prune])
@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan"), "half", None, True])
def test_a_share_out_of_range_is_refused(prune, share):
  with pytest.raises(ValueError, match="share="):
    prune([[1]], [[1], [2]], share)


@pytest.mark.parametrize("prune", [tropical_prune, magnitude_prune])
def test_what_is_no_network_is_refused(prune):
  with pytest.raises(ValueError, match="two classes"):
    prune([[1]], [[1]], 0.5)
  with pytest.raises(ValueError, match="A holds a value that is not finite"):
    prune([[np.nan]], [[1], [2]], 0.5)
  with pytest.raises(ValueError, match="at least one hidden unit"):
    prune(np.ones((0, 2)), np.ones((2, 0)), 0.5)
  with pytest.raises(ValueError, match="c1 has 2 entries"):
    tropical_prune([[1]], [[1], [2]], 0.5, c1=[1, 2])


# magnitudes


def test_class_blind_ranks_both_matrices_together():
  found = magnitude_prune([[3, -0.1], [0.2, 5]], [[40, 0.3], [-10, 4]], 0.5)
  assert found.A.tolist() == [[0, 0], [0, 5]]
  assert found.B.tolist() == [[40, 0], [-10, 4]]
  assert (found.share, found.penalty) == (0.5, None)


def test_class_uniform_prunes_the_same_share_of_each():
  A, B = [[3, -0.1], [0.2, 5]], [[40, 11], [-10, 12]]
  found = magnitude_prune(A, B, 0.25, rule="class_uniform")
  assert masked(found) == [[[True, False], [True, True]], [[True, True], [False, True]]]


def test_class_distribution_ranks_by_deviations_of_the_own_matrix():
  # The deviations are 1 and 100: A's scores are 1, 1, 1, 1 and B's 0.5, 1.5, 0.5, 1.5.
  A, B = [[1, -1], [-1, 1]], [[50, 150], [-50, -150]]
  deviation = np.std(B)
  assert deviation > 100
  found = magnitude_prune(A, B, 0.25, rule="class_distribution")
  assert masked(found) == [[[True, True], [True, True]], [[False, True], [False, True]]]


def test_a_matrix_without_deviation_goes_last_but_for_its_zeros():
  found = magnitude_prune([[0.1, 0.1]], [[2], [3]], 0.5, rule="class_distribution")
  assert masked(found) == [[[True, True]], [[False], [False]]]
  zeros = magnitude_prune([[0, 0]], [[2], [3]], 0.5, rule="class_distribution")
  assert masked(zeros) == [[[False, False]], [[True], [True]]]


@pytest.mark.parametrize("rule", ["class_blind", "class_distribution"])
def test_of_equal_magnitudes_the_first_matrix_and_the_lower_index_go_first(rule):
  A, B = np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([[-1.0, 1.0], [1.0, -1.0]])
  assert masked(magnitude_prune(A, B, 5 / 8, rule=rule)) == [
    [[False, False], [False, False]],
    [[False, True], [True, True]],
  ]


def test_of_many_equal_magnitudes_the_lower_go_first():
  found = magnitude_prune(np.ones((1, 100)), np.ones((100, 1)), 0.25)
  assert found.masks[0].tolist() == [[False] * 50 + [True] * 50]
  assert found.masks[1].all()


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_counts_are_exact(rule):
  A, B = network(0, p=50, n=4, m=6)
  for share in (0, 0.005, 0.3, 0.5, 0.999):
    found = magnitude_prune(A, B, share, rule=rule)
    sizes = (200, 300) if rule == "class_uniform" else (500,)
    assert round(found.share * 500) == sum(round(share * size) for size in sizes)
    assert found.share == ((found.A == 0).sum() + (found.B == 0).sum()) / 500


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_zeros_from_before_are_the_first_to_be_counted(rule):
  A, B = [[0, 2], [3, 4]], [[0, 5], [6, 7]]
  assert magnitude_prune(A, B, 0.25, rule=rule).A.tolist() == A
  assert magnitude_prune(A, B, 0, rule=rule).share == 0.25
  assert masked(magnitude_prune(A, B, 0, rule=rule))[0] == [[False, True], [True, True]]


@pytest.mark.parametrize("scale", [1e-170, 1e150])
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_the_same_entries_go_from_huge_and_tiny_weights(rule, scale):
  A, B = network(3, p=6)
  found = magnitude_prune(A, B, 0.5, rule=rule)
  assert masked(magnitude_prune(A * scale, B * scale, 0.5, rule=rule)) == masked(found)
  found = tropical_prune(A, B, 0.5)
  assert masked(tropical_prune(A * scale, B, 0.5)) == masked(found)
  assert masked(tropical_prune(A * scale, B * scale, 0.5)) == masked(found)
  assert shrink(A * scale, B, found.penalty * scale) == pytest.approx(shrink(A, B, found.penalty))


@pytest.mark.parametrize("rule", [["class_blind"], None, {}])
def test_a_rule_that_is_no_name_is_refused(rule):
  with pytest.raises(ValueError, match="rule="):
    magnitude_prune([[1]], [[1], [2]], 0.5, rule=rule)


def test_an_unknown_rule_is_refused_with_those_there_are():
  with pytest.raises(ValueError, match=r"rule='magnitude' is unknown.*'class_blind'"):
    magnitude_prune([[1]], [[1], [2]], 0.5, rule="magnitude")
  assert list(RULES) == RULE_NAMES


@pytest.mark.parametrize(
  "pair", [(0.7, 1.9), "01", (False, True), (0, 0), (0, 2), (-1, 0), (0,), 1, (0, 1, 2)]
)
def test_what_names_no_two_classes_is_no_pair(pair):
  with pytest.raises(ValueError, match=r"pair=.* must name two different classes of 0 to 1"):
    generators([[1, 2]], [[1], [2]], pair=pair)
