"""The figures of the stability experiment draw the right numbers."""

import io

import pytest

from tflottery.analysis import stability_plots

NETWORK = {"seed": 0, "level": 2, "arm": "ticket", "remaining_percent": 3.52}
DENSE = {"seed": 0, "level": 0, "arm": "dense", "remaining_percent": 100.0}


def _pair(k, instability, network=NETWORK):
  return network | {"k": k, "instability": instability}


def _path(k, errors, network=NETWORK, path="line"):
  amounts = [index / (len(errors) - 1) for index in range(len(errors))]
  return [
    network | {"k": k, "path": path, "amount": amount, "error_percent": error}
    for amount, error in zip(amounts, errors, strict=True)
  ]


def _training(k, accuracy, network=NETWORK):
  return network | {"k": k, "final_test_accuracy": accuracy}


def _distance(k, kind, length, angle, network=NETWORK):
  return network | {"k": k, "kind": kind, "l2_distance": length, "angle": angle}


def _bars(axes):
  """Dict from label to (x, means, bars) of what is drawn with bars; None: no bars."""
  found = {}
  for container in axes.containers:
    line, _, bars = container
    ends = [tuple(part[:, 1]) for part in bars[0].get_segments()] if bars else None
    found[container.get_label()] = (list(line.get_xdata()), list(line.get_ydata()), ends)
  return found


def test_instability_is_a_mean_over_pairs_and_seeds_with_bars_to_the_lowest_and_highest():
  rows = [_pair(100, 1.0), _pair(0, 3.0), _pair(0, 5.0), _pair(100, 2.0)]
  axes = stability_plots.instability_figure(rows).axes[0]
  x, means, bars = _bars(axes)["IMP ticket, 3.5 %"]
  assert (x, means) == ([0, 1], pytest.approx([4.0, 1.5]))
  assert bars == [(3.0, 5.0), (1.0, 2.0)]
  assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "100"]


def test_one_pair_has_no_bars():
  axes = stability_plots.instability_figure([_pair(0, 3.0), _pair(100, 1.0)]).axes[0]
  assert _bars(axes)["IMP ticket, 3.5 %"][2] is None


def test_the_line_of_stability_lies_at_two_points():
  axes = stability_plots.instability_figure([_pair(0, 0.1)]).axes[0]
  [line] = [line for line in axes.lines if "stable" in str(line.get_label())]
  assert list(line.get_ydata()) == [2.0, 2.0]
  assert axes.get_ylim()[1] > 2, "it is seen where nothing comes near it"


@pytest.mark.parametrize(("highest", "scale"), [(8.0, "linear"), (8.5, "symlog")])
def test_what_is_far_from_stable_does_not_press_the_rest_onto_the_axis(highest, scale):
  axes = stability_plots.instability_figure([_pair(0, 0.2), _pair(100, highest)]).axes[0]
  assert axes.get_yscale() == scale
  low, high = axes.get_ylim()
  assert -0.3 < low < 0 and high > highest  # markers at 0 are not cut


def test_arms_keep_their_colours_and_levels_differ_in_their_line():
  rows = [_pair(k, 1.0, NETWORK | {"level": level, "remaining_percent": remaining})
          for level, remaining in ((1, 51.0), (2, 3.52)) for k in (0, 9)]  # fmt: skip
  rows += [_pair(k, 1.0, NETWORK | {"arm": "reinit"}) for k in (0, 9)]
  axes = stability_plots.instability_figure(rows).axes[0]
  drawn = {c.get_label(): (c[0].get_color(), c[0].get_linestyle()) for c in axes.containers}
  assert drawn == {
    "IMP ticket, 51.0 %": ("#111111", "--"),
    "IMP ticket, 3.5 %": ("#111111", "-"),
    "random re-initialisation, 3.5 %": ("#d55e00", "-"),
  }
  places = [c[0].get_xdata()[0] for c in axes.containers]
  assert len(set(places)) == 3, "bars do not hide each other"


def test_lines_are_means_in_a_panel_for_each_step():
  rows = [*_path(0, [2, 30, 4]), *_path(0, [4, 50, 4]), *_path(500, [2, 3, 2])]
  first, second = stability_plots.lines_figure(rows).axes
  assert (first.get_title(), second.get_title()) == ("k = 0", "k = 500")
  [line] = [line for line in first.lines if len(line.get_xdata())]
  assert list(line.get_xdata()) == [0, 0.5, 1]
  assert list(line.get_ydata()) == pytest.approx([3, 40, 4])
  [band] = first.collections
  assert {tuple(point) for point in band.get_paths()[0].vertices} >= {(0.5, 30.0), (0.5, 50.0)}
  assert not second.collections, "one pair has no band"
  assert first.get_ylim() == second.get_ylim()


def test_bezier_paths_are_dotted_in_the_colour_of_their_network():
  rows = [*_path(0, [2, 30, 4]), *_path(0, [2, 5, 4], path="bezier")]
  axes = stability_plots.lines_figure(rows).axes[0]
  straight, bent = (line for line in axes.lines if len(line.get_xdata()))
  assert (straight.get_linestyle(), bent.get_linestyle()) == ("-", ":")
  assert list(bent.get_ydata()) == [2, 5, 4]
  assert bent.get_color() == straight.get_color()


def test_the_dense_network_is_a_band_behind_the_accuracies():
  rows = [_training(0, 0.97, DENSE), _training(50, 0.99, DENSE)]
  rows += [_training(0, 0.90), _training(0, 0.92), _training(100, 0.95)]
  axes = stability_plots.accuracy_figure(rows).axes[0]
  x, means, bars = _bars(axes)["IMP ticket, 3.5 %"]
  assert (x, means) == ([0, 1], pytest.approx([91.0, 95.0]))
  assert bars[0] == pytest.approx((90.0, 92.0))
  [dense] = [line for line in axes.lines if line.get_label() == "dense network"]
  assert list(dense.get_ydata()) == pytest.approx([98.0, 98.0])
  [band] = axes.patches
  assert (band.get_y(), band.get_height()) == pytest.approx((97.0, 2.0))
  labels = [text.get_text() for text in axes.get_xticklabels()]
  assert labels == ["0", "100"], "the steps of the dense copies are no rewind steps"


def test_distances_stand_above_angles_and_both_kinds_are_told_apart():
  rows = [_distance(0, "pruning", 9.0, 60.0), _distance(100, "pruning", 5.0, 40.0)]
  rows += [_distance(0, "data_order", 7.0, 50.0), _distance(100, "data_order", 3.0, 30.0)]
  rows += [_distance(0, "data_order", 20.0, 45.0, DENSE)]
  lengths, angles = stability_plots.distances_figure(rows).axes
  for axes, pruning, order, dense in (
    (lengths, [9, 5], [7, 3], 20),
    (angles, [60, 40], [50, 30], 45),
  ):
    drawn = {
      (c[0].get_color(), c[0].get_linestyle()): list(c[0].get_ydata())
      for c in axes.containers
      if len(c[0].get_xdata())
    }
    assert drawn == {
      ("#111111", "-"): pruning,
      ("#111111", "--"): order,
      ("#767676", "--"): [dense],
    }


def test_networks_keep_the_order_of_dense_ticket_and_controls():
  rows = [{"arm": arm, "level": level} for arm, level in
          (("reinit", 1), ("ticket", 2), ("dense", 0), ("ticket", 1))]  # fmt: skip
  found = list(stability_plots.networks(rows))
  assert found == [("dense", 0), ("ticket", 1), ("ticket", 2), ("reinit", 1)]


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_any_number_of_steps_can_be_drawn(steps):
  ks = range(0, 100 * steps, 100)
  rows = {
    "lines_figure": [row for k in ks for row in _path(k, [2, 3, 2])],
    "instability_figure": [_pair(k, 30.0) for k in ks],
    "accuracy_figure": [_training(k, 0.9) for k in ks],
    "distances_figure": [_distance(k, "pruning", 2.0, 9.0) for k in ks],
  }
  for name, own in rows.items():
    figure = getattr(stability_plots, name)(own)
    figure.savefig(io.BytesIO(), format="png", dpi=30)
