"""What is tried in a fresh process, and how far two results are apart."""

import pathlib

import numpy as np
import pytest

from tflottery.export import trial

SCRIPT = """
import pathlib, sys
job, result = map(pathlib.Path, sys.argv[1:])
import pickle
result.write_bytes(pickle.dumps([__name__, pathlib.Path(pickle.__file__).parent.name, *pickle.loads(job.read_bytes())]))
"""


def run(folder, text, content=()):
  script, workdir = pathlib.Path(folder, "script.py"), pathlib.Path(folder, "work")
  script.write_text(text)
  workdir.mkdir(exist_ok=True)
  return trial.run(script, content, workdir)


def test_a_script_answers_in_a_process_of_its_own(tmp_path):
  assert run(tmp_path, SCRIPT, [1, "a"])[0] == "__main__"
  assert run(tmp_path, SCRIPT, [1, "a"])[2:] == [1, "a"]


def test_modules_are_not_looked_for_beside_the_script_or_where_the_user_stands(
  tmp_path, monkeypatch
):
  (tmp_path / "pickle.py").write_text("raise SystemExit('the wrong one')")
  monkeypatch.chdir(tmp_path)
  assert run(tmp_path, SCRIPT)[1] != tmp_path.name


def test_a_script_that_fails_is_told_with_the_end_of_what_it_said(tmp_path):
  text = "import sys; sys.stderr.write('x' * 9000 + 'the end'); sys.exit(3)"
  with pytest.raises(RuntimeError, match=r"does not work in a fresh process:\n.*the end$") as error:
    run(tmp_path, text)
  assert 3000 < len(str(error.value)) < 3100


@pytest.mark.parametrize(
  "found, expected, difference",
  [
    ([1.0, 2.0], [1.0, 2.5], 0.5),
    ([-1.0, 3.0], [1.0, 3.0], 2.0),
    ([np.nan, 1.0], [np.nan, 1.25], 0.25),
    ([np.nan, 1.0], [1.0, 1.0], np.inf),
    ([np.inf, 1.0], [np.inf, 1.5], 0.5),
    ([np.inf, 1.0], [1.0, 1.0], np.inf),
    ([1.0], [1.0, 1.0], np.inf),
    ([b"a"], [b"a"], 0.0),
    ([b"a"], [b"b"], np.inf),
    ([True], [False], np.inf),
    ([3], [5], 2.0),
  ],
)
def test_the_largest_difference(found, expected, difference):
  assert trial.largest_difference([np.array(found)], [np.array(expected)]) == difference


def test_the_largest_difference_is_over_all_arrays_and_of_other_dtypes_infinite():
  arrays = [np.zeros(2), np.ones(3)]
  assert trial.largest_difference(arrays, [np.zeros(2), np.array([1.0, 0.5, 1.0])]) == 0.5
  assert trial.largest_difference([np.zeros(2)], [np.zeros(2, "float32")]) == np.inf


def test_the_scale_is_the_largest_finite_value_and_at_least_one():
  assert trial.scale([np.array([0.5, -0.25])]) == 1.0
  assert trial.scale([np.array([0.5]), np.array([-4.0, np.inf, np.nan])]) == 4.0
  assert trial.scale([np.array([], "float32"), np.array([b"a"]), np.array([-7])]) == 7.0
