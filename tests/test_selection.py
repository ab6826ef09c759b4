"""Which point counts: by validation accuracy alone; values worked by hand."""

from tflottery.experiments import grid, selection


def _chosen(results, *, sparsities=(0.9,), seeds=(0, 1)):
  """The selection from {(algorithm, sparsity, point): ((validation, reached) or None per seed)}."""
  keys, cells = {}, {}
  for (algorithm, sparsity, point), found in results.items():
    for seed, result in zip(seeds, found, strict=True):
      name = f"{algorithm}-{sparsity}-{seed}-{point}"
      keys[name] = grid.Key(algorithm, sparsity, seed, point)
      if result:
        cells[name] = dict(zip(("validation_accuracy", "reached_sparsity"), result, strict=True))
  return selection.choose(cells, grid.Plan(keys, sparsities, seeds))


def test_the_highest_mean_over_the_seeds_wins_and_not_the_best_seed():
  found = _chosen(
    {
      ("magnitude", 0.9, "a"): ((0.99, 0.9), (0.80, 0.9)),
      ("magnitude", 0.9, "b"): ((0.92, 0.9), (0.90, 0.9)),
    }
  )
  assert found.points == {("magnitude", 0.9): "b"}
  [choice] = found.choices
  assert (choice.of, round(choice.validation_accuracy, 9)) == (2, 0.91)


def test_of_equals_the_first_wins():
  same = ((0.9, 0.9), (0.9, 0.9))
  assert _chosen({("set", 0.9, p): same for p in "ba"}).points == {("set", 0.9): "b"}


def test_points_compete_only_when_all_of_their_seeds_are_trained():
  results = {
    ("magnitude", 0.9, "a"): ((0.80, 0.9), (0.80, 0.9)),
    ("magnitude", 0.9, "b"): ((0.99, 0.9), None),
  }
  found = _chosen(results)
  assert found.points == {("magnitude", 0.9): "a"} and found.choices[0].of == 1
  del results["magnitude", 0.9, "a"]
  assert _chosen(results) == selection.Selection([], [])


def test_without_a_grid_the_seeds_that_there_are_count():
  found = _chosen({("rigl", 0.9, ""): ((0.8, 0.9), None), ("set", 0.9, ""): (None, None)})
  assert found.points == {("rigl", 0.9): ""} and found.unreached == []


def test_every_sparsity_has_its_own_choice():
  found = _chosen(
    {
      ("magnitude", 0.9, "a"): ((0.9, 0.9),),
      ("magnitude", 0.95, "a"): ((0.7, 0.95),),
      ("magnitude", 0.9, "b"): ((0.8, 0.9),),
      ("magnitude", 0.95, "b"): ((0.8, 0.95),),
    },
    sparsities=(0.9, 0.95),
    seeds=(0,),
  )
  assert found.points == {("magnitude", 0.9): "a", ("magnitude", 0.95): "b"}


LEARNED = {
  ("l0", 0.0, "weak"): ((0.97, 0.70), (0.97, 0.74)),
  ("l0", 0.0, "middle"): ((0.95, 0.90), (0.95, 0.89)),  # 0.895 on average
  ("l0", 0.0, "strong"): ((0.93, 0.97), (0.93, 0.96)),
}


def test_learned_masks_compete_where_their_mean_sparsity_is_half_a_point_below_or_more():
  found = _chosen(LEARNED, sparsities=(0.7, 0.9, 0.901, 0.95))
  points = {sparsity: point for (_, sparsity), point in found.points.items()}
  assert points == {0.7: "weak", 0.9: "middle", 0.901: "strong", 0.95: "strong"}
  assert [choice.of for choice in found.choices] == [3, 2, 1, 1]


def test_a_sparsity_that_no_point_reached_is_told_when_all_are_trained():
  found = _chosen(LEARNED, sparsities=(0.9, 0.99))
  assert list(found.points) == [("l0", 0.9)] and found.unreached == [("l0", 0.99)]
  unfinished = LEARNED | {("l0", 0.0, "strongest"): ((0.9, 0.99), None)}
  assert _chosen(unfinished, sparsities=(0.99,)).unreached == []


def test_an_asked_sparsity_need_not_be_reached_to_the_digit():
  found = _chosen({("rigl", 0.9, ""): ((0.8, 0.85), (0.8, 0.85))})
  assert found.points == {("rigl", 0.9): ""}
