"""A comparison's rows, its table and its figure; values worked by hand."""

import io
import warnings

import pytest

from tflottery.analysis import comparison, comparison_layers, comparison_plots, comparison_table


def _summary(algorithm, asked, seed, accuracy, **more):
  summary = dict.fromkeys(comparison.CELL, 1.0) | {"algorithm": algorithm, "seed": seed}
  reached = {"asked_sparsity": asked, "sparsity": asked + 0.001, "test_accuracy": accuracy}
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
  [line] = comparison_table.lines([row])
  shown = dict(zip(comparison_table.HEADER, line, strict=True))
  assert shown["At best validation (%)"] == "70.00 ± 14.14"
  assert shown["Test accuracy (%)"] == "50.00 ± 0.00"


def test_lengths_that_differ_are_told():
  [row] = comparison.rows(
    comparison.cells([_summary("l1_norm_scratch_b", 0.5, 0, 0.9, steps=1500)])
  )
  [line] = comparison_table.lines([row])
  assert line[0] == "L1-norm, Scratch-B" and line[comparison_table.HEADER.index("Steps")] == "1,500"


def test_one_seed_has_no_deviation():
  assert _row("static", 0.98)["test_accuracy_standard_deviation"] == 0.0
  line = comparison_table.lines([_row("static", 0.98)])[0]
  assert line[:7] == ("static", "98", "98.10", "50.00", "50.00 to 50.00", "100.00", "1")


def test_rows_come_in_the_order_of_the_grid():
  order = [(row["algorithm"], row["sparsity"]) for row in ROWS]
  assert order == [("dense", 0.0), ("rigl", 0.9), ("rigl", 0.98), ("static", 0.98)]


def test_the_text_has_a_line_per_row_and_columns_that_stand_under_each_other():
  header, *lines = comparison_table.text(ROWS).splitlines()
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


POINTS = [
  _summary("l0", 0.0, seed, 0.9, point=point, sparsity=reached)
  for seed in (0, 1)
  for point, reached in (("a", 0.92), ("b", 0.97))
]


def test_a_test_accuracy_is_told_only_where_a_point_was_chosen():
  cells = comparison.cells([_summary("rigl", 0.9, 0, 0.8, point=""), *POINTS])
  points = {("rigl", 0.9): "", ("l0", 0.8): "a", ("l0", 0.9): "a"}
  every, chosen = comparison.selected(cells, points)
  assert [cell["chosen_at"] for cell in every] == ["0.9", "0.8 0.9", "", "0.8 0.9", ""]
  assert [cell["test_accuracy"] for cell in every] == [0.8, 0.9, "", 0.9, ""]
  assert {cell["best_test_accuracy"] for cell in every if not cell["chosen_at"]} == {""}
  assert all(cell["validation_accuracy"] == 1.0 for cell in every)
  rows = comparison.rows(chosen)
  found = [(row["algorithm"], row["sparsity"], row["point"], row["n"]) for row in rows]
  assert found == [("rigl", 0.9, "", 1), ("l0", 0.8, "a", 2), ("l0", 0.9, "a", 2)]
  assert [row["reached_sparsity"] for row in rows] == pytest.approx([0.901, 0.92, 0.92])


def test_a_point_that_was_chosen_at_one_sparsity_counts_only_there():
  cells = comparison.cells([_summary("magnitude", s, 0, 0.8, point="a") for s in (0.9, 0.98)])
  every, chosen = comparison.selected(cells, {("magnitude", 0.98): "a"})
  assert [cell["chosen_at"] for cell in every] == ["", "0.98"]
  assert [cell["sparsity"] for cell in chosen] == [0.98]


def test_results_of_sequences_are_told_where_all_cells_have_them():
  more = [
    _summary("rigl", 0.9, seed, 0.8, bleu=bleu, exact_match=0.5)
    for seed, bleu in enumerate((20.0, 30.0))
  ]
  [row] = rows = comparison.rows(comparison.cells(more))
  assert (row["bleu_mean"], row["exact_match_mean"]) == (25.0, 0.5)
  assert tuple(row) == comparison.row_columns(["bleu", "exact_match"])
  assert comparison_table.header(rows)[-2:] == ("BLEU", "Whole sequences (%)")
  assert comparison_table.lines(rows)[0][-2:] == ("25.00 ± 7.07", "50.00 ± 0.00")
  [row] = rows = comparison.rows(comparison.cells([*more, _summary("rigl", 0.9, 2, 0.8)]))
  assert tuple(row) == comparison.ROW and comparison_table.header(rows) == comparison_table.HEADER


def _drawn(rows):
  """(figure, list of the panels' dicts from label to line)."""
  figure = comparison_plots.comparison_figure(rows)
  return figure, [{c.get_label(): c.lines[0] for c in a.containers} for a in figure.axes]


def _rows_of(*names):
  summaries = [_summary(name, 0.9, 0, 0.8, sparsity=0.96) for name in names]
  return comparison.rows(comparison.cells(summaries))


def test_learned_masks_and_what_is_trained_under_them_stand_at_the_sparsity_that_they_reached():
  _, (first, second) = _drawn(_rows_of("variational_dropout", "variational_dropout_ticket"))
  assert first["variational dropout"].get_xdata() == pytest.approx([0.04])
  found = [line.get_xdata()[0] for line in second.values()]
  assert found == pytest.approx([0.04 * 1.025**0.5, 0.04 / 1.025**0.5])
  _, [only] = _drawn(_rows_of("magnitude"))
  assert only["magnitude"].get_xdata() == pytest.approx([0.1])


def test_each_source_has_a_panel_with_its_colour_and_lines_for_the_ways():
  names = [*comparison.SOURCES, *comparison.RETRAINED, "random"]
  figure, (first, *panels) = _drawn(_rows_of(*names))
  assert list(first) == [*comparison.SOURCES.values(), "random"]
  assert len({line.get_color() for line in first.values()}) == len(first)
  for panel, source in zip(panels, comparison.SOURCES, strict=True):
    lines = list(panel.values())
    assert len(lines) == 9 == len({line.get_marker() for line in lines})
    assert {line.get_color() for line in lines} == {first[comparison.SOURCES[source]].get_color()}
  for name, (source, way) in comparison.RETRAINED.items():
    panel = panels[list(comparison.SOURCES).index(source)]
    like = panels[0][comparison.label(f"magnitude_{way}")]
    assert panel[comparison.label(name)].get_marker() == like.get_marker()
  above, below = ([text.get_text() for text in legend.get_texts()] for legend in figure.legends)
  assert above == list(first)
  assert below == list(comparison.RETRAININGS.values())


def test_a_source_that_is_not_drawn_itself_is_named_over_its_panel():
  figure, (first, second) = _drawn(_rows_of("random", "l0_ticket"))
  assert (list(first), list(second)) == (["random"], ["L0: ticket"])
  assert figure.axes[1].get_title(loc="left") == "Trained anew under the masks of L0"


CELLS = [
  {"algorithm": name, "sparsity": sparsity, "cell": f"{name}-{seed}"}
  for name, sparsity in (
    ("dense", 0.0),
    ("l0", 0.9),
    ("l0", 0.95),
    ("l0_ticket", 0.9),
    ("l1_norm_scratch_e", 0.9),
  )
  for seed in (0, 1)
]
LAYERS = {
  cell["cell"]: [("fc1/kernel", 40, 0.9 + i), ("out/kernel", 8, 0.5)]
  for cell in CELLS
  for i in [0.02 * int(cell["cell"][-1])]
}
LAYERS |= {f"l1_norm_scratch_e-{seed}": [("fc1/kernel", 4 + seed, 0.0)] for seed in (0, 1)}


def test_layers_are_means_over_the_seeds_of_what_learned_its_own_masks():
  rows = comparison_layers.rows(CELLS, LAYERS)
  assert [tuple(row.values())[:5] for row in rows] == [
    ("l0", sparsity, site, size, 2)
    for sparsity in (0.9, 0.95)
    for site, size in (("fc1/kernel", 40), ("out/kernel", 8))
  ]
  assert [row["layer_sparsity_mean"] for row in rows] == pytest.approx([0.91, 0.5] * 2)


def test_the_figure_of_the_layers_has_a_panel_per_sparsity_and_a_line_per_algorithm():
  rows = comparison_layers.rows(CELLS, LAYERS)
  rows.append(rows[0] | {"algorithm": "rigl", "layer_sparsity_mean": 0.7})
  figure = comparison_layers.layers_figure(rows)
  first, second = figure.axes
  assert [list(line.get_ydata()) for line in first.lines] == [pytest.approx([91.0, 50.0]), [70.0]]
  assert [list(line.get_ydata()) for line in second.lines] == [pytest.approx([91.0, 50.0]), []]
  assert [text.get_text() for text in second.get_xticklabels()] == ["fc1", "out"]
  assert [text.get_text() for text in figure.legends[0].get_texts()] == ["L0", "RigL"]


def test_without_layers_the_axes_are_empty():
  [axes] = comparison_layers.layers_figure([]).axes
  assert not axes.lines
