"""Reading a search's tables."""

import pytest

from tflottery.analysis import results

ROWS = [
  {"seed": 0, "level": 1, "arm": "ticket", "early_stop_step": 40.0},
  {"seed": 1, "level": 1, "arm": "ticket", "early_stop_step": 60.0},
  {"seed": 0, "level": 0, "arm": "ticket", "early_stop_step": 80.0},
  {"seed": 0, "level": 1, "arm": "reinit", "early_stop_step": 70.0},
]


def test_columns_get_their_types(tmp_path):
  path = tmp_path / "results.csv"
  path.write_text("seed,level,arm,remaining_percent\n3,12,random_mask,7.5\n")
  [row] = results.read(path)
  assert row == {"seed": 3, "level": 12, "arm": "random_mask", "remaining_percent": 7.5}
  assert [type(value) for value in row.values()] == [int, int, str, float]


def test_a_table_without_rows_is_empty(tmp_path):
  path = tmp_path / "results.csv"
  path.write_text("seed,level\n")
  assert results.read(path) == []


def test_values_are_grouped_by_level_in_order():
  assert list(results.by_level(ROWS, "early_stop_step").items()) == [(0, [80]), (1, [40, 60, 70])]
  tickets = results.of_arm(ROWS, "ticket")
  assert results.mean_by_level(tickets, "early_stop_step") == {0: 80, 1: 50}
  assert results.arms(ROWS) == ["ticket", "reinit"]


def test_the_deviation_is_that_of_a_sample():
  assert results.deviation([1.0, 3.0]) == pytest.approx(2**0.5)
  assert results.deviation([4.0]) == 0


@pytest.mark.parametrize(
  ("value", "text"),
  [(100.0, "100"), (99.97, "100.0"), (21.14, "21.1"), (0.999, "1"), (0.05, "0.05")],
)
def test_a_percentage_is_short(value, text):
  assert results.percent(value) == text
