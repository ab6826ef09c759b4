"""The grid of a comparison: points, the cells that they make, and what waits for a choice."""

import pytest
from searches import config

from tflottery.experiments import grid, points, rethinking, retraining, sparse

GRID = {"magnitude": {"end_step": ("300it", "900it"), "frequency": (50, 100)}}


def _read(**changes):
  return grid.read(config("configs/compare.py", **changes))


def test_points_are_all_combinations_the_last_value_fastest():
  values = {"magnitude": {"end_step": None, "frequency": 100}}
  assert points.read(GRID, values) == {
    "magnitude": {
      "end_step=300it,frequency=50": {"end_step": "300it", "frequency": 50},
      "end_step=300it,frequency=100": {"end_step": "300it", "frequency": 100},
      "end_step=900it,frequency=50": {"end_step": "900it", "frequency": 50},
      "end_step=900it,frequency=100": {"end_step": "900it", "frequency": 100},
    }
  }


def test_one_value_and_words_of_a_command_line_are_values_too():
  known = {"magnitude": {"end_step": None, "frequency": 100}}
  [found] = points.read({"magnitude": {"frequency": 50, "end_step": "300it,2ep"}}, known).values()
  assert list(found) == ["frequency=50,end_step=300it", "frequency=50,end_step=2ep"]


def test_a_points_name_holds_nothing_that_a_file_name_should_not():
  tried = {"set": {"drop_schedule": ("a/b c",)}}
  assert list(points.read(tried, {"set": {"drop_schedule": ""}})["set"]) == ["drop_schedule=a_b_c"]


def test_every_point_is_a_cell_at_every_sparsity_and_seed_with_its_own_arguments():
  chosen = _read(grid=GRID, algorithms=("dense", "magnitude"), seeds=(0, 1))
  assert len(chosen.cells) == 2 * (1 + 4 * 2)
  name = "magnitude-0.98-1-end_step=900it,frequency=50"
  own = chosen.cells[name].algorithm_arguments
  assert (own["end_step"], own["frequency"], own["scope"]) == ("900it", 50, "layer")
  assert chosen.plan.keys[name] == grid.Key("magnitude", 0.98, 1, "end_step=900it,frequency=50")
  assert chosen.plan.keys["dense-0-0"] == grid.Key("dense", 0.0, 0, "")


def test_learned_masks_have_one_cell_per_point_and_seed():
  tried = {"variational_dropout": {"strength": (1e-5, 3e-5)}}
  cells = _read(grid=tried, algorithms=("variational_dropout", "l0")).cells
  assert list(cells) == [
    "variational_dropout-0-0-strength=1e-05", "variational_dropout-0-0-strength=3e-05", "l0-0-0",
  ]  # fmt: skip


def test_what_is_trained_under_learned_masks_waits_and_its_source_is_a_cell():
  chosen = _read(grid=GRID, algorithms=("magnitude_ticket", "rigl"), sparsities=(0.9,))
  assert [name.split("-")[0] for name in chosen.cells] == ["magnitude"] * 4 + ["rigl"]
  assert chosen.waiting == (("magnitude_ticket", 0.9, 0),)


def test_a_choice_names_whose_masks_they_are_and_its_arguments_are_the_sources():
  chosen = _read(grid=GRID, algorithms=("magnitude_ticket", "l0_ticket"))
  point = "end_step=900it,frequency=50"
  cells, plan = chosen.retrained({("magnitude", 0.9): point, ("l0", 0.98): ""})
  assert list(cells) == [f"magnitude_ticket-0.9-0-{point}", "l0_ticket-0.98-0"]
  ticket = cells[f"magnitude_ticket-0.9-0-{point}"]
  assert grid.parent_name(ticket, point) == f"magnitude-0.9-0-{point}" in chosen.cells
  assert ticket.algorithm_arguments["magnitude"]["frequency"] == 50
  assert grid.parent_name(cells["l0_ticket-0.98-0"]) == "l0-0-0" in chosen.cells
  assert set(plan.keys) == {*chosen.cells, *cells}
  assert rethinking.kind_of(ticket) is retraining.Retrained


def test_a_grid_changes_no_value_that_all_cells_share():
  assert _read(grid=GRID).values == _read().values


BAD = {
  "an unknown algorithm": (
    {"magnitud": {}},
    ["config.grid", "magnitud", "Did you mean magnitude?"],
  ),
  "an unknown argument": (
    {"magnitude": {"end_stp": (1, 2)}},
    ["config.grid.magnitude.end_stp=(1, 2)", "Did you mean end_step?"],
  ),
  "an argument of what has none": ({"dense": {"a": (1,)}}, ["config.grid.dense.a", "none"]),
  "a value twice": ({"magnitude": {"frequency": (5, 5)}}, ["frequency=(5, 5)", "each once"]),
  "no value": ({"magnitude": {"frequency": ()}}, ["frequency=()", "at least one"]),
  "values without an argument": ({"magnitude": (1, 2)}, ["config.grid.magnitude=(1, 2)", "dict"]),
  "no dict": ((1, 2), ["config.grid=(1, 2)", "dict"]),
  "what begins with a trained network": (
    {"magnitude_ticket": {"end_step": (1,)}},
    ["config.grid.magnitude_ticket", "config.grid.magnitude."],
  ),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_by_the_name_that_it_has_in_the_config(name):
  tried, words = BAD[name]
  with pytest.raises(ValueError) as error:
    _read(grid=tried)
  assert [word for word in words if word not in str(error.value)] == [], error.value


def test_points_of_a_network_that_others_are_pruned_from_are_refused():
  given = {"algorithms": ("slimming_scratch_e",), "grid": {"slimming": {"strength": (0.1, 0.2)}}}
  with pytest.raises(ValueError, match=r"config.grid.slimming: slimming_scratch_e"):
    _read(**given)


def test_an_argument_that_can_not_be_is_left_to_its_algorithm():
  cells = _read(grid={"magnitude": {"frequency": (0,)}}, algorithms=("magnitude",)).cells
  assert all(isinstance(cell, sparse.Training) for cell in cells.values())
