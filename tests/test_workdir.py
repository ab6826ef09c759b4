"""The working directory: what is finished, the tables made from it, and who may go on."""

import json
import os

import numpy as np
import pytest
from searches import on_disk

import tflottery as tfl
from tflottery.experiments.workdir import ROW, Workdir

CONFIG = {"rate": 0.2, "seeds": [0, 1], "rates": {"output": 0.1}, "workers": 1, "data_dir": ""}


MASKS = {"fc/kernel": np.arange(8).reshape(2, 4) < 8, "out/kernel": np.ones((4, 1), bool)}


def _start(path, config=CONFIG, versions=None):
  """What a search does with its directory before it trains."""
  place = Workdir(path)
  place.check(config)
  place.claim(config, versions or {})
  return place


def _row(seed, level, arm):
  return dict.fromkeys(ROW, 0.5) | {"seed": seed, "level": level, "arm": arm}


def _save_ticket(place, seed, level, kept):
  masks = {"fc/kernel": np.arange(8).reshape(2, 4) < kept, "out/kernel": np.ones((4, 1), bool)}
  weights = {path: np.ones(mask.shape, "float32") for path, mask in masks.items()}
  tfl.Ticket(masks, weights, level).save(place.ticket_path(seed, level))


def test_a_new_directory_is_claimed_with_its_configuration_and_versions(tmp_path):
  _start(tmp_path / "new" / "run", CONFIG, {"keras": "3"})
  [file] = (tmp_path / "new" / "run").iterdir()
  assert file.name == "config.json"
  assert json.loads(file.read_text()) == CONFIG | {"versions": {"keras": "3"}}


def test_the_same_configuration_goes_on_with_other_workers_data_dir_and_versions(tmp_path):
  _start(tmp_path, CONFIG, {"keras": "3"})
  before = on_disk(tmp_path)
  _start(tmp_path, CONFIG | {"workers": 4, "data_dir": "/data"}, {"keras": "4"})
  assert on_disk(tmp_path) == before


def test_a_tuple_is_the_same_as_the_list_that_json_made_of_it(tmp_path):
  _start(tmp_path, CONFIG | {"seeds": (0, 1)})
  _start(tmp_path, CONFIG | {"seeds": (0, 1)})


def test_another_configuration_is_refused_with_every_difference_and_nothing_changes(tmp_path):
  _start(tmp_path)
  before = on_disk(tmp_path)
  other = CONFIG | {"rate": 0.5, "rates": {}, "start": "continue"}
  del other["seeds"]
  with pytest.raises(ValueError) as error:
    _start(tmp_path, other)
  for difference in (
    "rate is 0.2 there and 0.5 now",
    "rates is {'output': 0.1} there and {} now",
    "seeds is [0, 1] there and None now",
    "start is None there and 'continue' now",
    str(tmp_path),
  ):
    assert difference in str(error.value)
  assert "workers" not in str(error.value) and "\n" not in str(error.value)
  assert on_disk(tmp_path) == before


def test_results_without_a_configuration_are_refused_and_kept(tmp_path):
  (tmp_path / "results.csv").write_text("precious")
  with pytest.raises(ValueError, match=r"holds results\.csv of another work"):
    _start(tmp_path)
  assert os.listdir(tmp_path) == ["results.csv"]


def test_files_of_the_user_stay_as_they_are(tmp_path):
  (tmp_path / "log.txt").write_text("of the shell")
  _start(tmp_path)
  assert (tmp_path / "log.txt").read_text() == "of the shell"


def test_an_empty_directory_is_claimed(tmp_path):
  _start(tmp_path)
  assert os.listdir(tmp_path) == ["config.json"]


def test_a_workdir_that_is_a_file_is_refused(tmp_path):
  (tmp_path / "run").write_text("a file")
  with pytest.raises((OSError, ValueError), match="run"):
    _start(tmp_path / "run")


def test_a_config_that_is_damaged_is_named(tmp_path):
  (tmp_path / "config.json").write_text('{"rate": ')
  with pytest.raises(ValueError, match=r"config\.json"):
    _start(tmp_path)


def test_killed_while_it_claimed_a_directory_it_goes_on(tmp_path):
  (tmp_path / ".config.json.4711").write_text('{"rate"')  # as files.write leaves it
  _start(tmp_path)
  assert os.listdir(tmp_path) == ["config.json"]


def test_killed_while_it_wrote_it_leaves_nothing_half_written_behind(tmp_path):
  place = _start(tmp_path)
  _save_ticket(place, 0, 0, kept=8)
  place.finish(_row(0, 0, "ticket"), [[10, 0.5, 0.5]], MASKS)
  before = on_disk(tmp_path)
  for half in (
    "tickets/seed_0/.level_1.ticket.31",
    "pieces/seed_0/.level_1_ticket.json.31",
    ".results.csv.31",
  ):
    (tmp_path / half).write_text("half")
  _start(tmp_path)
  assert on_disk(tmp_path) == before


def test_a_piece_is_done_when_it_is_finished(tmp_path):
  place = Workdir(tmp_path)
  _save_ticket(place, 1, 2, kept=3)
  assert not place.is_done(1, 2, "ticket")
  place.finish(_row(1, 2, "ticket"), [[10, 0.5, 0.5]], MASKS)
  assert place.is_done(1, 2, "ticket")
  assert not place.is_done(1, 2, "reinit") and not place.is_done(0, 2, "ticket")
  assert Workdir(tmp_path).ticket(1, 2).level == 2


def test_rows_come_by_seed_level_and_arm_the_ticket_first(tmp_path):
  place = Workdir(tmp_path)
  done = [
    (1, 0, "ticket"),
    (0, 10, "ticket"),
    (0, 2, "resample"),
    (0, 2, "reinit"),
    (0, 2, "ticket"),
  ]
  for seed, level, arm in done:
    _save_ticket(place, seed, level, kept=8)
    place.finish(_row(seed, level, arm), [], MASKS)
  expected = ["0,2,ticket", "0,2,reinit", "0,2,resample", "0,10,ticket", "1,0,ticket"]
  lines = (tmp_path / "results.csv").read_text().splitlines()
  assert lines[0] == ",".join(ROW)
  assert [",".join(line.split(",")[:3]) for line in lines[1:]] == expected


def test_the_table_of_layers_is_counted_from_the_tickets_by_hand(tmp_path):
  place = Workdir(tmp_path)
  for level, kept in ((0, 8), (1, 5)):
    masks = MASKS | {"fc/kernel": np.arange(8).reshape(2, 4) < kept}
    place.finish(_row(3, level, "ticket"), [], masks)
  place.finish(_row(3, 1, "reinit"), [], MASKS)
  assert (tmp_path / "layers.csv").read_text().splitlines() == [
    "seed,level,site,size,kept,remaining_percent",
    "3,0,fc/kernel,8,8,100.0",
    "3,0,out/kernel,4,4,100.0",
    "3,1,fc/kernel,8,5,62.5",
    "3,1,out/kernel,4,4,100.0",
  ]


def test_the_events_of_a_killed_training_are_dropped(tmp_path):
  place = Workdir(tmp_path)
  for arm in ("ticket", "reinit"):
    events = tmp_path / "events" / "seed_0" / arm / "level_1"
    events.mkdir(parents=True)
    (events / "events.out.tfevents.old").write_text("old")
  assert place.events(0, 1, "ticket") == str(tmp_path / "events" / "seed_0" / "ticket" / "level_1")
  left = [p for p in (tmp_path / "events").rglob("*") if p.is_file()]
  assert left == [tmp_path / "events" / "seed_0" / "reinit" / "level_1" / "events.out.tfevents.old"]
