"""What is trained after pruning, and for how long; values worked by hand."""

import pytest
from searches import config

from tflottery.experiments import grid, parents, sparse

SMALL = {
  "steps": 400, "eval_every": 20, "warmup": "10it", "learning_rate_drops": ("200it", 300),
  "batch_size": 60, "sparsity": 0.5,
}  # fmt: skip


def _read(algorithm, **changes):
  return sparse.read(config("configs/train.py", **SMALL | {"algorithm": algorithm} | changes))


def _trained(settings, factor=2.0):
  """The settings of the training of what is left, in epochs of 21 steps."""
  return parents.way_of(settings).settings(settings, 21, lambda: factor)


def test_fine_tuning_takes_a_quarter_of_the_steps_at_one_low_learning_rate():
  s = _trained(_read("l1_norm_fine_tuned"))
  assert (s.steps, s.warmup, s.learning_rate_drops) == (100, 0, ())
  assert s.optimizer_arguments == {"learning_rate": 0.001}


def test_fine_tuning_keeps_the_optimizers_other_arguments():
  given = {"sgd": {"learning_rate": 0.1, "momentum": 0.8}, "optimizer": "sgd"}
  s = _trained(_read("unstructured_fine_tuned", **given, fine_tuned={"learning_rate": 0.02}))
  assert s.optimizer_arguments == {"learning_rate": 0.02, "momentum": 0.8}


def test_fine_tuning_ends_with_an_evaluation():
  for share, steps in ((0.26, 100), (0.28, 120), (0.01, 20), (1, 400)):
    assert _trained(_read("slimming_fine_tuned", fine_tuned={"share": share})).steps == steps


def test_scratch_e_trains_as_the_dense_network_does():
  s = _read("unstructured_scratch_e")
  assert _trained(s) == s


def test_scratch_b_trains_as_much_longer_as_its_flops_are_fewer_and_drops_as_much_later():
  s = _trained(_read("l1_norm_scratch_b"), factor=2.5)
  assert (s.steps, s.learning_rate_drops, s.warmup) == (1000, (500, 750), "10it")


def test_scratch_b_ends_with_an_evaluation_and_drops_to_scale():
  s = _trained(_read("l1_norm_scratch_b"), factor=1.27)  # 508 steps, evaluations every 20
  assert (s.steps, s.learning_rate_drops) == (500, (250, 375))


def test_scratch_b_has_a_limit_where_one_is_given():
  given = {"scratch_b": {"most": 2.0}}
  assert _trained(_read("slimming_scratch_b", **given), factor=3.9).steps == 800
  assert _trained(_read("slimming_scratch_b", **given), factor=1.5).steps == 600


def test_scratch_b_never_ends_behind_its_limit():
  # 750 and 508 steps, evaluations every 100 and 20: the nearest would be 800 and 500.
  for steps, every, most, end in ((500, 100, 1.5, 700), (400, 20, 1.27, 500), (600, 30, 1.15, 690)):
    given = {"steps": steps, "eval_every": every, "scratch_b": {"most": most}}
    assert _trained(_read("l1_norm_scratch_b", **given), factor=4.0).steps == end


def test_a_drop_behind_the_dense_trainings_end_does_not_come_in_the_further_steps():
  for rate, left in (("constant_final", (100,)), ("continual_decay", (100, 400, 500))):
    name = f"magnitude_scratch_b_{rate}"
    s = _trained(_read(name, learning_rate_drops=(100, 450)), factor=1.5)
    assert (s.steps, s.learning_rate_drops) == (600, left)
    assert _trained(_read(name, learning_rate_drops=(450,)), factor=1.5).learning_rate_drops == ()


def test_epochs_are_scaled_too():
  given = {"steps": "20ep", "learning_rate_drops": ("10ep",), "eval_every": 21}
  s = _trained(_read("l1_norm_scratch_b", **given), factor=1.5)
  assert (s.steps, s.learning_rate_drops) == (630, (315,))


def test_the_parent_is_the_very_cell_of_a_grid_that_names_it():
  pruned = [name for name in parents.ALGORITHMS if name not in parents.RETRAINED]
  given = {"steps": 40, "eval_every": 20, "slimming": {"strength": 0.1}, "algorithms": (
    "dense", "slimming", *pruned,
  )}  # fmt: skip
  cells = grid.read(config("configs/compare.py", **given, sparsities=(0.5, 0.7))).cells
  assert len(cells) == 2 + 9 * 2
  for name, cell in cells.items():
    if cell.sparsity:
      parent = "slimming-0-0" if name.startswith("slimming") else "dense-0-0"
      assert grid.parent_name(cell) == parent
      assert parents.parent(cell) == cells[parent]
    else:
      assert parents.parent(cell) is None is grid.parent_name(cell)


def test_a_grid_trains_the_parents_that_it_does_not_name_and_each_before_what_needs_it():
  given = {"algorithms": ("unstructured_scratch_e", "set", "slimming_scratch_e"), "seeds": (0, 1)}
  cells = grid.read(config("configs/compare.py", **given, sparsities=(0.5,))).cells
  assert [name for name in cells if name.endswith("-0")] == [
    "dense-0-0", "unstructured_scratch_e-0.5-0", "set-0.5-0", "slimming-0-0",
    "slimming_scratch_e-0.5-0",
  ]  # fmt: skip


def test_processes_train_the_parents_that_are_missing_first():
  given = {"algorithms": ("unstructured_scratch_e", "set", "slimming_scratch_e"), "seeds": (0,)}
  cells = grid.read(config("configs/compare.py", **given, sparsities=(0.5,))).cells
  pruned = ["unstructured_scratch_e-0.5-0", "set-0.5-0", "slimming_scratch_e-0.5-0"]
  assert grid.rounds(cells) == [["dense-0-0", "slimming-0-0"], pruned]
  assert grid.rounds({name: cells[name] for name in pruned}) == [pruned]
  assert grid.rounds({"dense-0-0": cells["dense-0-0"]}) == [["dense-0-0"]]
  assert grid.rounds({}) == []


def test_a_constant_final_rate_leaves_the_drops_where_they_are():
  s = _trained(_read("magnitude_scratch_b_constant_final"), factor=2.5)
  assert (s.steps, s.learning_rate_drops, s.warmup) == (1000, (200, 300), "10it")


def test_continual_decay_goes_on_at_the_distance_of_the_last_two_drops():
  s = _trained(_read("l0_scratch_b_continual_decay"), factor=2.0)
  assert (s.steps, s.learning_rate_drops) == (800, (200, 300, 400, 500, 600, 700))


def test_continual_decay_changes_nothing_before_the_dense_trainings_end():
  given = {"learning_rate_drops": (100, 160)}
  s = _trained(_read("l0_scratch_b_continual_decay", **given), factor=1.3)
  assert (s.steps, s.learning_rate_drops) == (520, (100, 160, 400, 460))  # every 60: 220 to 340 not


def test_continual_decay_of_one_drop_goes_on_at_its_distance_from_the_beginning():
  given = {"learning_rate_drops": (300,)}
  s = _trained(_read("l0_scratch_b_continual_decay", **given), factor=2.5)
  assert (s.steps, s.learning_rate_drops) == (1000, (300, 600, 900))


def test_constant_decay_drops_as_far_from_the_end_as_the_dense_training():
  s = _trained(_read("magnitude_scratch_b_constant_decay"), factor=2.5)
  assert (s.steps, s.learning_rate_drops) == (1000, (800, 900))


def test_all_ways_of_scratch_b_end_at_its_limit():
  for way in ("scratch_b", "scratch_b_sparse", "scratch_b_constant_decay"):
    assert _trained(_read(f"magnitude_{way}", scratch_b={"most": 1.5}), factor=4.0).steps == 600


def test_tickets_and_scratch_e_train_as_their_source_does():
  for way in ("ticket", "scratch_e", "scratch_e_sparse"):
    s = _read(f"variational_dropout_{way}")
    assert _trained(s) == s


def test_a_sources_settings_are_its_own_with_a_sparsity_only_where_it_is_asked_for_one():
  given = {"magnitude": {"end_step": 200}, "l0": {"strength": 1e-3}}
  source = parents.parent(_read("magnitude_scratch_b", **given))
  assert (source.algorithm, source.sparsity) == ("magnitude", 0.5)
  assert source == _read("magnitude", **given)
  assert parents.parent(_read("l0_ticket", **given)) == _read("l0", **given)
  assert _read("l0", **given).sparsity == 0.0


BAD = {
  "rates that drop no earlier or later where none drops": (
    {"algorithm": "magnitude_scratch_b_constant_final", "learning_rate_drops": ()},
    ["config.learning_rate_drops=()", "magnitude_scratch_b_constant_final"],
  ),
  "a limit of another way's": (
    {"algorithm": "l0_scratch_b_continual_decay", "scratch_b": {"most": 0.5}},
    ["config.scratch_b={'most': 0.5}", "at least 1"],
  ),
  "a source's way that is none": (
    {"algorithm": "l0_scratch_c"},
    ["config.algorithm='l0_scratch_c'"],
  ),
  "a misspelt argument": ({"fine_tuned": {"shar": 0.5}}, ["config.fine_tuned={'shar': 0.5}"]),
  "no fine-tuning": ({"fine_tuned": {"share": 0.0}}, ["config.fine_tuned=", "share=0.0"]),
  "a longer fine-tuning": ({"fine_tuned": {"share": 1.5}}, ["share=1.5", "at most 1"]),
  "a learning rate of 0": ({"fine_tuned": {"learning_rate": 0}}, ["learning_rate=0", "above 0"]),
  "arguments that are none": ({"fine_tuned": 0.25}, ["config.fine_tuned=0.25", "keyword"]),
  "a limit below 1": (
    {"algorithm": "l1_norm_scratch_b", "scratch_b": {"most": 0.5}},
    ["config.scratch_b={'most': 0.5}", "at least 1", "None"],
  ),
  "a way that is none": ({"algorithm": "l1_norm_scratch"}, ["config.algorithm='l1_norm_scratch'"]),
  "arguments of a pruning that has none": ({"l1_norm": {}}, ["config.l1_norm={}", "not a setting"]),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_by_the_name_that_it_has_in_the_config(name):
  changes, words = BAD[name]
  with pytest.raises(ValueError) as error:
    _read(**{"algorithm": "l1_norm_fine_tuned"} | changes)
  assert [word for word in words if word not in str(error.value)] == [], error.value
