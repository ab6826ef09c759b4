"""What a comparison says of training from scratch; values worked by hand."""

import pytest

from tflottery.experiments import compare_verdict


def _row(algorithm, mean, deviation=0.01, *, sparsity=0.9, n=2, validation=None, point=""):
  return {
    "algorithm": algorithm,
    "sparsity": sparsity,
    "reached_sparsity": sparsity + 0.05,
    "point": point,
    "n": n,
    "test_accuracy_mean": mean,
    "test_accuracy_standard_deviation": deviation if n > 1 else 0.0,
    "validation_accuracy_mean": mean if validation is None else validation,
  }


def test_a_difference_has_the_standard_error_of_both():
  gap, error = compare_verdict.difference(
    _row("magnitude_scratch_e", 0.90, 0.03, n=3), _row("magnitude", 0.95, 0.04, n=4)
  )
  assert gap == pytest.approx(-0.05)
  assert error == pytest.approx((0.0003 + 0.0004) ** 0.5)


def test_beyond_two_standard_errors_scratch_is_below_and_within_them_it_is_not():
  # 0.01 / sqrt(2) each makes an error of 0.01: 2.5 points below, then 1.5 below, then 3 above.
  rows = [_row("magnitude", 0.9, sparsity=s) for s in (0.8, 0.9, 0.95)]
  rows += [
    _row("magnitude_scratch_e", mean, sparsity=s)
    for s, mean in ((0.8, 0.875), (0.9, 0.885), (0.95, 0.93))
  ]
  first, second = compare_verdict.verdict(rows)
  assert "below those sparsified while training in 1 of 3 comparisons (by 2.50 points)" in first
  assert "exceed them in 1 (by 3.00 points)" in first and "in 1 the difference is within" in first
  assert second.startswith("Magnitude: at 80 % 90.00 % ± 1.00 (n = 2) while training and 87.50 %")
  assert "-2.50 points with a standard error of 1.00" in second


def test_the_way_is_chosen_by_validation_and_the_ticket_is_not_from_scratch():
  rows = [
    _row("l0", 0.9),
    _row("l0_ticket", 0.99, validation=0.99),
    _row("l0_scratch_e", 0.95, validation=0.90),
    _row("l0_scratch_b_sparse", 0.85, validation=0.94),
  ]
  _, sentence = compare_verdict.verdict(rows)
  assert "85.00 % ± 1.00 (n = 2) from scratch (Scratch-B, sparse-aware), -5.00" in sentence


def test_one_seed_makes_no_claim():
  first, second = compare_verdict.verdict(
    [_row("magnitude", 0.9, n=1), _row("magnitude_scratch_e", 0.5, n=1)]
  )
  assert first.startswith("One seed each") and "below" not in first.replace("numbers below", "")
  assert second.endswith("50.00 % (n = 1) from scratch (Scratch-E), -40.00 points.")


def test_without_anything_from_scratch_it_says_nothing():
  rows = [_row("magnitude", 0.9), _row("magnitude_ticket", 0.9), _row("l0_scratch_e", 0.9)]
  assert compare_verdict.verdict(rows) == []


def test_one_point_at_two_asked_sparsities_is_compared_once_at_the_one_it_reached():
  rows = [
    _row(f"l0{way}", mean, sparsity=s, point="strength=1")
    for s in (0.8, 0.85)
    for way, mean in (("", 0.9), ("_scratch_e", 0.8))
  ]
  first, second = compare_verdict.verdict(rows)
  assert "below those sparsified while training in 1 of 1 comparisons" in first
  assert second.count("while training") == 1 and second.startswith("L0: at 85 % 90.00 %")
