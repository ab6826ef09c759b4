"""The verdict of an Early-Bird experiment, on numbers made by hand."""

import numpy as np

from tflottery.experiments import bird_table
from tflottery.experiments.bird_verdict import verdict

COMMON = {
  "best_test_accuracy": 0.9, "validation_accuracy": 0.9, "parameters": 10, "steps_per_second": 5.0,
  "dense_inference_flops": 200,
}  # fmt: skip


def _summary(arm, seed=0, *, accuracy, seconds, steps, flops=200, drawn=None, **more):
  own = {"arm": arm, "seed": seed, "test_accuracy": accuracy, "train_seconds": seconds}
  own |= {"steps": steps, "inference_flops": flops, "drawn_step": drawn}
  return COMMON | own | {"share": None if drawn is None else 0.5} | more


def _search(seed=0, *, drawn=20, accuracy=0.9):
  found = {"drawn": {"0.5": drawn}, "end": 100, "limit": 90, "epoch_steps": 10}
  found["seconds_at"] = {"20": 25.0, "100": 100.0}
  return _summary("search", seed, accuracy=accuracy, seconds=100.0, steps=100) | found


KEPT = {"channels": {"bn1/gamma": [1, 4], "bn2/gamma": [3, 4]}}
TICKET = _summary("early_bird", accuracy=0.88, seconds=15.0, steps=80, flops=50, drawn=20, **KEPT)
CONTROL = _summary("reinit", accuracy=0.85, seconds=20.0, steps=100, flops=50, drawn=20, **KEPT)


def _rows(*summaries, search_is_dense=True):
  return bird_table.rows(list(summaries), search_is_dense=search_is_dense)


def _verdict(*summaries, search_is_dense=True, distances=None):
  searches = [
    {"seed": s["seed"], "summary": s, "distances": distances, "every": 10}
    for s in summaries
    if s["arm"] == "search"
  ]
  rows = _rows(*summaries, search_is_dense=search_is_dense)
  return verdict(rows, searches, window=3, threshold=0.1)


def test_a_row_counts_the_search_up_to_the_draw():
  dense, ticket, control = _rows(_search(), TICKET, CONTROL)
  assert (dense["arm"], dense["seconds_share"], dense["training_flops_share"]) == (
    "dense",
    1.0,
    1.0,
  )
  assert (ticket["drawn_epoch"], ticket["channels"], ticket["search_seconds"]) == (2.0, 0.5, 25.0)
  # 20 of 100 steps at full cost, then 80 at a quarter; 25 s and 15 s of 100 s.
  assert (ticket["training_flops_share"], ticket["seconds_share"]) == (0.4, 0.4)
  assert (control["training_flops_share"], control["seconds_share"]) == (0.45, 0.45)
  assert ticket.keys() == set(bird_table.ROW)


def test_a_search_that_is_not_the_dense_training_is_a_row_of_its_own():
  dense = _summary("dense", accuracy=0.9, seconds=50.0, steps=100)
  rows = _rows(_search(), dense, TICKET, search_is_dense=False)
  assert [row["arm"] for row in rows] == ["search", "dense", "early_bird"]
  assert rows[2]["seconds_share"] == 0.8


def test_without_a_dense_network_there_is_no_share_of_its_seconds():
  rows = _rows(_search(), TICKET, search_is_dense=False)
  assert [row["seconds_share"] for row in rows] == [None, None]
  [sentence] = _verdict(_search(), TICKET, search_is_dense=False)
  assert sentence.endswith(
    "Search and retraining took 0.40 of dense training's FLOPs; no dense network was trained beside it."
  )


def test_the_ticket_stands_first_and_its_control_second():
  assert _verdict(_search(), TICKET, CONTROL) == [
    "The ticket without 50 % of the channels, drawn at epoch 2 of 10, reached 88.00 % test accuracy"
    " with 25 % of the FLOPs, dense 90.00 %; search and retraining took 0.40 of dense training's"
    " seconds and 0.40 of its FLOPs.",
    "The same small network, re-initialised and trained from the beginning, reached 85.00 %, 3.00"
    " points below the ticket.",
  ]


def test_seeds_are_averaged():
  other = TICKET | {"seed": 1, "test_accuracy": 0.90}
  first, *_ = _verdict(_search(), TICKET, _search(1, accuracy=0.92), other)
  assert "reached 89.00 % test accuracy" in first and "(means over 2 seeds), dense 91.00 %" in first


def test_where_no_ticket_was_drawn_it_says_how_near_the_masks_came():
  matrix = np.zeros((1, 11, 11), np.float32)
  matrix[0, 4, 2:4], matrix[0, 3, 1:3], matrix[0, 5:, 3:] = (0.25, 0.125), (0.5, 0.375), 0.5
  matrix[0, 10, 8:10] = 0.0  # after the limit, step 90
  [sentence] = _verdict(_search(drawn=None), distances=matrix)
  assert sentence == (
    "No ticket was drawn at share 0.5 with seed 0, so nothing was slimmed: up to step 90 the newest"
    " mask never lay within 0.1 of the 2 before it. The nearest that the farthest of them came was"
    " 0.250, at step 40. Train longer, or give a stronger config.slimming or a higher"
    " config.threshold."
  )


def test_too_few_draws_are_told_apart():
  search = _search(drawn=None) | {"limit": 20}
  [sentence] = _verdict(search, distances=np.zeros((1, 11, 11), np.float32))
  assert "2 draws are fewer than the 3 that must be alike" in sentence


def test_channels_have_a_line_per_layer_of_every_ticket_but_the_controls():
  lines = bird_table.layers([_search(), TICKET, CONTROL])
  assert [(line["arm"], line["site"], line["kept"], line["channels"]) for line in lines] == [
    ("early_bird", "bn1/gamma", 1, 4),
    ("early_bird", "bn2/gamma", 3, 4),
  ]
