"""Directories are replaced whole or not at all."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tflottery.export.beside import _replace_in_two_steps, beside


def write(work, text="new"):
  (work / "new").mkdir()
  (work / "new" / "saved_model.pb").write_text(text)


def export(target, text="new", **options):
  with beside(target, **{"overwrite": False, **options}) as work:
    write(work, text)


def names(directory):
  return sorted(path.name for path in directory.iterdir())


def test_what_was_written_beside_takes_the_place_and_nothing_else_is_left(tmp_path):
  export(tmp_path / "deep" / "er" / "1")
  assert names(tmp_path / "deep" / "er") == ["1"]
  assert names(tmp_path / "deep" / "er" / "1") == ["saved_model.pb"]


def test_an_empty_directory_may_be_filled(tmp_path):
  (tmp_path / "1").mkdir()
  export(tmp_path / "1")
  assert names(tmp_path / "1") == ["saved_model.pb"]


def test_a_directory_that_is_not_empty_is_refused_without_overwrite(tmp_path):
  export(tmp_path / "1", "old")
  with pytest.raises(
    FileExistsError, match=r"'.*/1' is not empty. Choose another, or .*overwrite=True"
  ):
    export(tmp_path / "1")
  assert (tmp_path / "1" / "saved_model.pb").read_text() == "old"
  export(tmp_path / "1", overwrite=True)
  assert (tmp_path / "1" / "saved_model.pb").read_text() == "new"
  assert names(tmp_path) == ["1"]


def test_a_directory_of_something_else_is_never_deleted(tmp_path):
  (tmp_path / "home").mkdir()
  (tmp_path / "home" / "thesis.tex").write_text("years of work")
  with pytest.raises(FileExistsError, match="overwrite=True does not delete it"):
    export(tmp_path / "home", overwrite=True)
  assert names(tmp_path / "home") == ["thesis.tex"]


def test_a_model_that_tf_keras_can_train_is_never_replaced_by_an_export(tmp_path):
  export(tmp_path / "1", "trained")
  (tmp_path / "1" / "keras_metadata.pb").write_text("layers")
  with pytest.raises(FileExistsError, match="one that tf_keras can train"):
    export(tmp_path / "1", overwrite=True)
  assert (tmp_path / "1" / "saved_model.pb").read_text() == "trained"


@pytest.mark.parametrize("target", ["gs://bucket/1", "file:///tmp/1", ""])
def test_what_is_no_path_of_this_machine_is_refused(target, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(ValueError, match="must be a path on this machine"):
    export(target)
  assert names(tmp_path) == []


def test_where_the_process_stands_and_mount_points_are_refused(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for target in (".", "/"):
    with pytest.raises(FileExistsError, match=r"can't be replaced: .* Choose a directory in it\."):
      export(target, overwrite=True)


def test_of_a_link_the_directory_that_it_points_to_is_replaced(tmp_path):
  export(tmp_path / "v3", "old")
  (tmp_path / "current").symlink_to("v3")
  export(tmp_path / "current", overwrite=True)
  assert (tmp_path / "current").is_symlink()
  assert (tmp_path / "v3" / "saved_model.pb").read_text() == "new"


def test_an_export_leaves_alone_what_another_is_writing_to_the_same_place(tmp_path):
  with beside(tmp_path / "1", overwrite=True) as work:
    write(work, "slow")
    export(tmp_path / "1", "fast")
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "fast"
    assert work.exists()
  assert (tmp_path / "1" / "saved_model.pb").read_text() == "slow"
  assert names(tmp_path) == ["1"]


def test_a_file_is_refused(tmp_path):
  (tmp_path / "1").write_text("")
  with pytest.raises(FileExistsError, match="is a file"):
    export(tmp_path / "1", overwrite=True)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_what_stood_there_stands_there_still(error, tmp_path):
  export(tmp_path / "1", "old")
  with pytest.raises(error), beside(tmp_path / "1", overwrite=True) as work:
    write(work)
    raise error
  assert (tmp_path / "1" / "saved_model.pb").read_text() == "old"
  assert names(tmp_path) == ["1"]


def test_the_old_comes_back_where_the_new_can_not_take_its_place(tmp_path):
  export(tmp_path / "1", "old")
  with pytest.raises(FileNotFoundError), beside(tmp_path / "1", overwrite=True):
    pass  # nothing was written, so there is nothing to rename
  assert (tmp_path / "1" / "saved_model.pb").read_text() == "old"


def test_without_an_exchange_in_one_step_it_is_replaced_all_the_same(tmp_path):
  for name in ("target", "new"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "text").write_text(name)
  _replace_in_two_steps(tmp_path / "target", tmp_path / "new", tmp_path / "old")
  assert (tmp_path / "target" / "text").read_text() == "new"
  assert (tmp_path / "old" / "text").read_text() == "target"
  with pytest.raises(FileNotFoundError):
    _replace_in_two_steps(tmp_path / "target", tmp_path / "missing", tmp_path / "older")
  assert names(tmp_path) == ["old", "target"]
  assert (tmp_path / "target" / "text").read_text() == "new"


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="needs a place where nobody may write")
def test_a_place_that_can_not_be_written_is_named_before_work_starts():
  with pytest.raises(OSError, match=r"directory='/sys/kernel/export' can't be written: \w+"):
    export("/sys/kernel/export")


KILLED = """
import pathlib, sys, time
from tflottery.export.beside import beside
for i in range(10**6):
  with beside(pathlib.Path(sys.argv[1], "1"), overwrite=True) as work:
    (work / "new").mkdir()
    for part in ("a", "b", "saved_model.pb"):
      (work / "new" / part).write_text(str(i))
      time.sleep(0.001)
  print(i, flush=True)
"""


def test_killed_at_any_moment_it_leaves_a_whole_directory_and_the_next_cleans_up(tmp_path):
  for seconds in (0.0, 0.003, 0.0071, 0.0113):
    process = subprocess.Popen(
      [sys.executable, "-c", _without_tensorflow(), tmp_path], stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
      assert process.stdout.readline(), "it exports"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    texts = {path.name: path.read_text() for path in (tmp_path / "1").iterdir()}
    assert sorted(texts) == ["a", "b", "saved_model.pb"]
    assert len(set(texts.values())) == 1, texts
  export(tmp_path / "1", overwrite=True)
  assert names(tmp_path) == ["1"]


def _without_tensorflow():
  """The script, `beside` taken from its file: importing the package takes seconds."""
  file = pathlib.Path(sys.modules[beside.__module__].__file__)
  return KILLED.replace("from tflottery.export.beside import beside", file.read_text())
