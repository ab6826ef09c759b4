"""A comparison's rows, its table and its figure; values worked by hand."""

import io
import warnings

import pytest

from tflottery.analysis import comparison, comparison_plots


def _summary(algorithm, sparsity, seed, accuracy, **more):
  summary = dict.fromkeys(comparison.CELL, 1.0) | {"algorithm": algorithm, "seed": seed}
  reached = {"asked_sparsity": sparsity, "sparsity": sparsity + 0.001, "test_accuracy": accuracy}
  return summary | reached | more


SUMMARIES = [
  _summary("dense", 0.0, 0, 0.96),
  _summary("rigl", 0.9, 0, 0.90, live_parameters=100, train_seconds=2.0),
  _summary("rigl", 0.98, 0, 0.80),
  _summary("dense", 0.0, 1, 0.98),
  _summary("rigl", 0.9, 1, 0.92, live_parameters=102, train_seconds=4.0),
  _summary("static", 0.98, 0, 0.5),
]
ROWS = comparison.rows(comparison.cells(SUMMARIES))


def _row(algorithm, sparsity):
  [row] = [r for r in ROWS if (r["algorithm"], r["sparsity"]) == (algorithm, sparsity)]
  return row


def test_cells_tell_the_sparsity_that_was_asked_for_and_the_one_that_was_reached():
  cell = comparison.cells(SUMMARIES)[1]
  assert (cell["sparsity"], cell["reached_sparsity"]) == (0.9, 0.901)
  assert set(cell) == set(comparison.CELL)


def test_rows_are_means_and_sample_standard_deviations_over_the_seeds():
  row = _row("rigl", 0.9)
  assert row["n"] == 2
  assert row["test_accuracy_mean"] == pytest.approx(0.91)
  assert row["test_accuracy_standard_deviation"] == pytest.approx(0.02 / 2**0.5)
  assert (row["test_accuracy_min"], row["test_accuracy_max"]) == (0.90, 0.92)
  assert (row["live_parameters"], row["train_seconds"]) == (101, 3.0)
  assert set(row) == set(comparison.ROW)


def test_the_best_evaluations_stand_beside_the_last():
  cells = [
    _summary("rigl", 0.9, seed, 0.5, best_test_accuracy=best)
    for seed, best in enumerate((0.6, 0.8))
  ]
  [row] = comparison.rows(comparison.cells(cells))
  assert (row["test_accuracy_mean"], row["best_test_accuracy_mean"]) == pytest.approx((0.5, 0.7))
  assert row["best_test_accuracy_standard_deviation"] == pytest.approx(0.2 / 2**0.5)
  [line] = comparison.lines([row])
  shown = dict(zip(comparison.HEADER, line, strict=True))
  assert shown["At best validation (%)"] == "70.00 ± 14.14"
  assert shown["Test accuracy (%)"] == "50.00 ± 0.00"


def test_lengths_that_differ_are_told():
  [row] = comparison.rows(
    comparison.cells([_summary("l1_norm_scratch_b", 0.5, 0, 0.9, steps=1500)])
  )
  [line] = comparison.lines([row])
  assert line[0] == "L1-norm, Scratch-B" and line[comparison.HEADER.index("Steps")] == "1,500"


def test_one_seed_has_no_deviation():
  assert _row("static", 0.98)["test_accuracy_standard_deviation"] == 0.0
  line = comparison.lines([_row("static", 0.98)])[0]
  assert line[:6] == ("static", "98", "50.00", "50.00 to 50.00", "100.00", "1")


def test_rows_come_in_the_order_of_the_grid():
  order = [(row["algorithm"], row["sparsity"]) for row in ROWS]
  assert order == [("dense", 0.0), ("rigl", 0.9), ("rigl", 0.98), ("static", 0.98)]


def test_the_text_has_a_line_per_row_and_columns_that_stand_under_each_other():
  header, *lines = comparison.text(ROWS).splitlines()
  assert len(lines) == 4 and len({len(line) for line in [header, *lines]}) == 1
  assert "91.00 ± 1.41" in lines[1] and lines[1].startswith("RigL")


def test_no_cells_make_no_rows_and_empty_axes():
  assert comparison.rows([]) == []
  [axes] = comparison_plots.comparison_figure([]).axes
  assert not axes.lines and not axes.containers


def test_the_figure_has_a_line_per_algorithm_over_sparsity_and_the_dense_line():
  [axes] = comparison_plots.comparison_figure(ROWS).axes
  lines = {c.get_label(): c.lines[0] for c in axes.containers}
  assert set(lines) == {"RigL", "static"}
  assert list(lines["RigL"].get_ydata()) == pytest.approx([91.0, 80.0])
  # Side by side, in the order in which they are given: what remains falls to the right.
  assert list(lines["RigL"].get_xdata()) == pytest.approx([0.1 * 1.025**0.5, 0.02 * 1.025**0.5])
  assert list(lines["static"].get_xdata()) == pytest.approx([0.02 / 1.025**0.5])
  [dense] = [line for line in axes.lines if line.get_label() == "dense"]
  assert set(dense.get_ydata()) == {97.0}


def test_the_dense_network_alone_makes_a_figure_without_a_warning():
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    comparison_plots.comparison_figure(ROWS[:1]).savefig(io.BytesIO(), format="png")


def test_bars_reach_a_standard_deviation_up_and_down():
  [axes] = comparison_plots.comparison_figure(ROWS).axes
  [container] = [c for c in axes.containers if c.get_label() == "RigL"]
  low, high = container.lines[2][0].get_segments()[0][:, 1]
  assert (low, high) == pytest.approx((91 - 100 * 0.02 / 2**0.5, 91 + 100 * 0.02 / 2**0.5))


def test_sparsities_are_ticks_from_low_to_high():
  [axes] = comparison_plots.comparison_figure(ROWS).axes
  assert [text.get_text() for text in axes.get_xticklabels()] == ["90", "98"]
  left, right = axes.get_xlim()
  assert left > 0.1 > 0.02 > right


def test_ways_of_pruning_have_colours_and_ways_of_training_lines():
  names = [f"{p}_{w}" for p in comparison.PRUNINGS for w in comparison.WAYS]
  rows = comparison.rows(comparison.cells([_summary(name, 0.5, 0, 0.9) for name in names]))
  [axes] = comparison_plots.comparison_figure(rows).axes
  lines = {c.get_label(): c.lines[0] for c in axes.containers}
  assert len(lines) == 9
  looks = {label: (line.get_color(), line.get_linestyle()) for label, line in lines.items()}
  assert len(set(looks.values())) == 9
  for label, (colour, line) in looks.items():
    pruning, way = label.split(", ")
    assert colour == looks[f"{pruning}, fine-tuned"][0]
    assert line == looks[f"slimming, {way}"][1]


def test_the_network_trained_with_slimming_is_a_line_of_its_own():
  rows = comparison.rows(comparison.cells([_summary("slimming", 0.0, 0, 0.9), *SUMMARIES]))
  [axes] = comparison_plots.comparison_figure(rows).axes
  across = {line.get_label(): set(line.get_ydata()) for line in axes.lines}
  assert across["dense with slimming"] == {90.0} and across["dense"] == {97.0}
  assert [text.get_text() for text in axes.get_xticklabels()] == ["90", "98"]


def test_an_algorithm_looks_the_same_in_every_figure():
  alone = [row for row in ROWS if row["algorithm"] == "static"]
  colours = []
  for rows in (ROWS, alone):
    [axes] = comparison_plots.comparison_figure(rows).axes
    [line] = [c.lines[0] for c in axes.containers if c.get_label() == "static"]
    colours.append(line.get_color())
  assert colours[0] == colours[1]
