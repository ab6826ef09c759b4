"""The binary, run as a newcomer runs it: what it writes, what it refuses, and that it can be killed."""

import contextlib
import csv
import itertools
import json
import os
import random
import re
import signal
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from searches import ROOT, command, config, environment, on_disk, outcome, run, table
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_processes import alive, wait_until

import tflottery as tfl
from tflottery.experiments import learn, settings, task

FLAGS = (
  "--config.steps=80", "--config.rewind_to=40it", "--config.levels=2", "--config.eval_every=10",
  "--config.arms=('reinit',)", "--config.arm_levels=(2,)", "--config.seeds=(0,1)",
)  # fmt: skip
COLUMNS = [
  "seed", "level", "arm", "remaining_percent", "early_stop_step", "early_stop_test_accuracy",
  "final_test_accuracy", "train_seconds", "steps_per_second",
]  # fmt: skip


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
  """A search of two seeds that was never killed: (its workdir, what it printed)."""
  workdir = tmp_path_factory.mktemp("find_ticket") / "new" / "run"
  done = run(*command(workdir, *FLAGS))
  assert (done.returncode, done.said) == (0, []), done.stderr
  return workdir, done.stdout


@pytest.fixture(scope="session")
def work():
  """The same task in this process."""
  changes = {"steps": 80, "rewind_to": "40it", "levels": 2, "eval_every": 10, "seeds": (0, 1)}
  return task.load(settings.read(config("configs/lth_digits.py", arm_levels=(2,), **changes)))


def _ticket(workdir, seed, level):
  return tfl.Ticket.load(workdir / "tickets" / f"seed_{seed}" / f"level_{level}.ticket")


def test_it_writes_what_it_promises_and_nothing_else(finished):
  names = sorted(p.name for p in finished[0].iterdir())
  assert names == [
    "accuracy.png", "config.json", "early_stop.png", "events", "layers.csv", "layers.png", "pieces",
    "report.html", "results.csv", "tickets",
  ]  # fmt: skip
  for name in ("accuracy", "early_stop", "layers"):
    assert (finished[0] / f"{name}.png").read_bytes().startswith(b"\x89PNG")
  hidden = [p for p in finished[0].rglob("*") if p.name.startswith(".")]
  assert hidden == []


def test_it_shows_progress_and_says_what_it_picked(finished):
  workdir, out = finished
  assert "picked steps_per_execution=10 and jit_compile=True" in out
  line = r"seed 1  level 2  reinit: step 80 \(40/40 trained\), \d+ steps/s, .* 0 s left"
  assert re.search(line, out)
  assert f"Report: {workdir / 'report.html'}" in out


def test_results_have_a_row_for_each_seed_level_and_arm_with_the_columns_promised(finished):
  with open(finished[0] / "results.csv", newline="") as file:
    reader = csv.DictReader(file)
    rows = [(row["seed"], row["level"], row["arm"]) for row in reader]
    assert reader.fieldnames[: len(COLUMNS)] == COLUMNS
  one = [("0", "ticket"), ("1", "ticket"), ("2", "ticket"), ("2", "reinit")]
  assert rows == [(seed, *rest) for seed in "01" for rest in one]


def test_numbers_of_the_table_lie_where_they_must(finished):
  for row in table(finished[0]):
    for name in (
      "early_stop_test_accuracy",
      "final_test_accuracy",
      "early_stop_validation_accuracy",
    ):
      assert 0.5 < float(row[name]) <= 1, "digits are learned a little in 80 steps"
    assert float(row["train_seconds"]) > 0
    assert 0 < float(row["steps_per_second_with_evaluation"]) <= float(row["steps_per_second"])


def test_tickets_keep_the_exact_counts_and_every_level_lies_in_the_one_before(finished):
  for seed in (0, 1):
    tickets = [_ticket(finished[0], seed, level) for level in (0, 1, 2)]
    assert [ticket.level for ticket in tickets] == [0, 1, 2]
    assert all(mask.all() for mask in tickets[0].masks.values())
    for before, after in itertools.pairwise(tickets):
      for path, rate in {"fc1/kernel": 0.2, "fc2/kernel": 0.2, "output/kernel": 0.1}.items():
        remaining = int(before.masks[path].sum())
        assert after.masks[path].sum() == max(1, round((1 - rate) * remaining))
        assert (before.masks[path] >= after.masks[path]).all()


def test_remaining_percent_is_that_of_the_tickets(finished):
  for row in table(finished[0]):
    masks = _ticket(finished[0], row["seed"], row["level"]).masks.values()
    share = sum(mask.sum() for mask in masks) / sum(mask.size for mask in masks)
    assert float(row["remaining_percent"]) == pytest.approx(100 * share, rel=1e-12)
  # By hand, level 2: 12288 of 19200, 19200 of 30000, 810 of 1000.
  assert float(table(finished[0])[2]["remaining_percent"]) == pytest.approx(100 * 32298 / 50200)


def test_the_early_stop_is_the_lowest_validation_loss_of_the_curve(finished):
  for row in table(finished[0]):
    name = f"pieces/seed_{row['seed']}/level_{row['level']}_{row['arm']}.json"
    steps, losses, accuracies = zip(
      *json.loads((finished[0] / name).read_text())["curve"], strict=True
    )
    first = 10 if row["level"] == "0" else 50
    assert list(steps) == list(range(first, 81, 10))
    best = int(np.argmin(losses))
    assert int(row["early_stop_step"]) == steps[best]
    assert float(row["early_stop_validation_loss"]) == losses[best]
    assert float(row["early_stop_validation_accuracy"]) == accuracies[best]
    assert float(row["final_validation_accuracy"]) == accuracies[-1]


def test_every_level_starts_from_the_weights_of_step_k(finished, work):
  for seed in (0, 1):
    tickets = [_ticket(finished[0], seed, level) for level in (0, 1, 2)]
    seeds = tickets[0].metadata["seeds"]
    assert len(set(seeds.values())) == 3
    model = work.model(seeds["initialisation"])
    model.fit(work.batches(seeds["order"])(start=0, stop=40), verbose=0)
    for (path, value), trained in zip(tickets[0].weights.items(), model.get_weights(), strict=True):
      np.testing.assert_allclose(value, trained, rtol=1e-3, atol=1e-5, err_msg=path)
      for later in tickets[1:]:
        np.testing.assert_array_equal(later.weights[path], value, err_msg=path)


@pytest.mark.slow
def test_the_accuracies_come_out_again_where_the_ticket_is_trained_with_its_callback(
  finished, work
):
  rows = {(row["seed"], row["level"], row["arm"]): row for row in table(finished[0])}
  for level in ("1", "2"):
    row, ticket = rows["0", level, "ticket"], _ticket(finished[0], 0, level)
    stop = int(row["early_stop_step"])
    model = work.model(0)
    data = work.batches(ticket.metadata["seeds"]["order"])(start=40, stop=stop)
    model.fit(data, verbose=0, callbacks=[ticket.callback()])
    images = np.float32(work.data.test.images) / 255
    hits = model.predict(images, verbose=0).argmax(1) == work.data.test.labels
    # To two of the 360 images: sums are ordered differently with other threads.
    assert float(row["early_stop_test_accuracy"]) == pytest.approx(hits.mean(), abs=2.5 / 360)
    images = np.float32(work.data.validation.images) / 255
    split = [(images, work.data.validation.labels)]
    loss, _ = learn.Evaluator(model, split, jit_compile=False)()
    assert float(row["early_stop_validation_loss"]) == pytest.approx(loss, rel=1e-3)


def test_a_ticket_says_where_it_came_from(finished):
  metadata = _ticket(finished[0], 1, 2).metadata
  assert metadata["seed"] == 1
  assert (metadata["rewind_to"], metadata["steps"]) == (40, 80)
  text = json.dumps(metadata)
  for word in ("digits", "lenet_300_100", "tensorflow"):
    assert word in text


def test_the_configuration_is_kept_with_the_versions(finished):
  kept = json.loads((finished[0] / "config.json").read_text())
  assert (kept["steps"], kept["levels"], kept["seeds"]) == (80, 2, [0, 1])
  assert kept["rates"] == {"output": 0.1}
  assert {"tensorflow", "keras", "tf_keras", "tflottery"} <= kept["versions"].keys()


def test_tensorboard_reads_the_events(finished):
  for row in table(finished[0]):
    place = finished[0] / "events" / f"seed_{row['seed']}" / row["arm"] / f"level_{row['level']}"
    assert len(list(place.iterdir())) == 1
    events = EventAccumulator(str(place)).Reload()
    points = [(e.step, _value(e)) for e in events.Tensors("validation_loss")]
    piece = finished[0] / f"pieces/seed_{row['seed']}/level_{row['level']}_{row['arm']}.json"
    curve = json.loads(piece.read_text())["curve"]
    assert points == [(step, np.float32(loss)) for step, loss, _ in curve]
    [remaining] = events.Tensors("remaining_percent")
    assert remaining.step == int(row["level"])
    assert _value(remaining) == np.float32(row["remaining_percent"])


def _value(event):
  return tf.make_ndarray(event.tensor_proto).item()


def test_the_report_is_one_self_contained_page_with_the_table_and_the_verdict(finished):
  workdir, out = finished
  page = (workdir / "report.html").read_text(encoding="utf-8")
  sources = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'> ]+)""", page)
  assert len([s for s in sources if s.startswith("data:image/png;base64,")]) == 3
  assert [s[:60] for s in sources if not s.startswith(("data:", "#"))] == []
  assert not re.search(r"url\(|@import|<script", page)
  assert "random re-initialisation" in page and "rates.output" in page
  verdict = [
    line for line in out.splitlines() if "matches the dense network" in line or "No ticket" in line
  ]
  assert verdict, "no verdict was printed"
  assert "dense network" in page


def test_a_finished_search_says_so_trains_nothing_and_may_have_other_workers_and_data_dir(finished):
  workdir, _ = finished
  keep = [
    *workdir.glob("tickets/*/*"),
    *workdir.glob("pieces/*/*"),
    *workdir.glob("events/*/*/*/*"),
  ]
  before, times = outcome(workdir), [p.stat().st_mtime_ns for p in keep]
  done = run(*command(workdir, *FLAGS, "--config.workers=2", "--config.data_dir=/nowhere"))
  assert (done.returncode, done.said) == (0, []), done.stderr
  assert "Finished already: nothing to train." in done.stdout
  assert "steps/s" not in done.stdout
  assert outcome(workdir) == before
  assert [p.stat().st_mtime_ns for p in keep] == times


def test_another_configuration_is_refused_with_the_differences_and_nothing_changes(finished):
  workdir, _ = finished
  before = on_disk(workdir)
  done = run(*command(workdir, *FLAGS, "--config.rate=0.3", "--config.start=continue"))
  assert done.returncode != 0
  [line] = done.said
  for word in (
    "rate is 0.2 there and 0.3 now",
    "start is 'rewind' there and 'continue' now",
    str(workdir),
  ):
    assert word in line
  assert "levels" not in line
  assert on_disk(workdir) == before


def _bad_config(folder, text):
  (folder / "bad.py").write_text(text)
  return str(folder / "bad.py")


# What is given on the command line, and what the one line on stderr must say.
BAD_FLAGS = {
  "a misspelt key": (["--config.level=3"], ["--config.level=3", 'Did you mean "levels"']),
}
MORE_BAD_FLAGS = {
  "a rate of 1": (["--config.rate=1.0"], ["rate=1.0", "below 1"]),
  "a negative rate": (["--config.rate=-0.1"], ["rate=-0.1"]),
  "negative levels": (["--config.levels=-1"], ["config.levels=-1", "at least 0"]),
  "levels in words": (["--config.levels=three"], ["--config.levels=three"]),
  "a duration": (["--config.steps=5x"], ["config.steps='5x'", "'500it'"]),
  "a late rewind": (["--config.rewind_to=1200it"], ["config.rewind_to='1200it'", "1200"]),
  "a pattern": (["--config.rates={'conv': 0.1}"], ["rates='conv'", "fc1/kernel"]),
  "no kernels": (
    ["--config.model=searches:without_kernels", "--config.rates={}"],
    ["no prunable weight"],
  ),
  "too many levels": (
    ["--config.levels=60", "--config.rate=0.5"],
    ["levels=60", "level", "at most"],
  ),
  "an unknown data set": (["--config.dataset=minst"], ["'minst'", "mnist"]),
  "an unknown model": (["--config.model=lenet"], ["'lenet'", "lenet_300_100"]),
  "an unknown module": (["--config.model=nothing:f"], ["'nothing'"]),
  "an unknown arm": (["--config.arms=('reint',)"], ["config.arms='reint'", "reinit"]),
  "an unknown optimizer": (["--config.optimizer=adamm"], ["config.optimizer='adamm'", "adam"]),
  "an optimizer's argument": (["--config.adam.momentum=0.9"], ["--config.adam.momentum=0.9"]),
  "no seeds": (["--config.seeds=()"], ["config.seeds=()"]),
  "another Keras": (["--config.keras=jax"], ["config.keras='jax'", "tf_keras"]),
  "a huge batch": (["--config.batch_size=2000"], ["config.batch_size=2000", "1294"]),
  "a flag": (["--confg.levels=2"], ["confg.levels"]),
  "an argument": (["levels=2"], ["levels=2", "--config.levels=5"]),
}


@pytest.mark.parametrize(
  "name", [*BAD_FLAGS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_BAD_FLAGS)]
)
def test_bad_input_is_one_line_and_writes_nothing(name, tmp_path):
  arguments, words = (BAD_FLAGS | MORE_BAD_FLAGS)[name]
  workdir = tmp_path / "run"
  _refused(run(*command(workdir, *arguments)), words)
  assert not workdir.exists()


def _refused(done, words):
  assert done.returncode == 1, done.stderr
  assert len(done.said) == 1, done.stderr
  assert done.said[0].startswith("error: ")
  assert [word for word in words if word not in done.said[0]] == [], done.said[0]
  assert "steps/s" not in done.stdout


BAD_FILES = {
  "is not there": (None, ["no such file", "bad.py"]),
  "can't import something": ("import nothing_of_this_name", ["bad.py", "nothing_of_this_name"]),
  "is no Python": ("def get_config(:", ["bad.py", "SyntaxError"]),
  "has no get_config": ("x = 1", ["bad.py", "get_config"]),
  "has a key that is unknown": (
    "from configs import default\n\ndef get_config():\n  config = default.get_config()\n"
    "  config.levles = 3\n  return config\n",
    ["config.levles=3", "levels"],
  ),
  "has an argument that the optimizer does not take": (
    "from configs import default\n\ndef get_config():\n  config = default.get_config()\n"
    "  config.adam.momentum = 0.5\n  return config\n",
    ["config.adam=", "momentum"],
  ),
}
FAST_FILES = ("can't import something",)


@pytest.mark.parametrize(
  "name", [pytest.param(n, marks=[] if n in FAST_FILES else pytest.mark.slow) for n in BAD_FILES]
)
def test_a_config_file_that_is_bad_is_one_line(name, tmp_path):
  text, words = BAD_FILES[name]
  if text is not None:
    (tmp_path / "bad.py").write_text(text)
  workdir = tmp_path / "run"
  _refused(run(*command(workdir, file=tmp_path / "bad.py")), words)
  assert not workdir.exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_learning_rate_that_diverges_is_a_clear_error(workers, tmp_path):
  flags = [*FLAGS, "--config.adam.learning_rate=1e30", f"--config.workers={workers}"]
  done = run(*command(tmp_path / "run", *flags))
  assert done.returncode == 1
  assert "Traceback" not in done.stderr, done.stderr
  assert any("Lower the learning rate" in line for line in done.said)
  assert not list((tmp_path / "run").glob("pieces/*/*"))


@pytest.mark.slow
def test_it_runs_from_another_directory(tmp_path):
  file = ROOT / "configs" / "papers" / "lth_lenet_mnist.py"  # which imports configs/lth_mnist.py
  flags = [
    "--config.dataset=digits",
    "--config.steps=20",
    "--config.levels=1",
    "--config.seeds=(0,)",
  ]
  args = command("run", *flags, "--config.arms=()", file=file)
  done = subprocess.run(
    args, cwd=tmp_path, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, timeout=300
  )
  assert done.returncode == 0
  assert len(table(tmp_path / "run")) == 2


def _start_and_kill(args, workdir, *, pieces, delay):
  """Run until so many trainings are finished and a moment longer; kill -9; pids of its children."""
  before = len(list(workdir.glob("pieces/*/*.json")))
  process = subprocess.Popen(
    args, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  try:
    wait_until(
      lambda: (
        len(list(workdir.glob("pieces/*/*.json"))) >= before + pieces or process.poll() is not None
      )
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(delay)
    children = _children(process.pid)
  finally:
    process.send_signal(signal.SIGKILL)
    process.wait()
  return children


def _children(pid):
  done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
  return [int(word) for word in done.stdout.split()]


def _killed_and_gone_on(args, workdir, expected, *, kills, seed):
  """Kill the command several times at random moments, then let it end; compare."""
  rng = random.Random(seed)
  for _ in range(kills):
    pieces, delay = rng.choice([0, 1, 1, 2]), rng.uniform(0, 1)
    if not pieces:
      delay = rng.uniform(4, 9)  # while it starts, or in its first training
    children = _start_and_kill(args, workdir, pieces=pieces, delay=delay)
    wait_until(lambda found=children: not any(alive(pid) for pid in found))
  done = run(*args)
  assert (done.returncode, done.said) == (0, []), done.stderr
  assert outcome(workdir) == expected, f"not the same after kills drawn from {seed}"


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_tickets_and_rows(finished, tmp_path):
  seed = random.randrange(10**6)
  expected = outcome(finished[0])
  _killed_and_gone_on(command(tmp_path, *FLAGS), tmp_path, expected, kills=2, seed=seed)


CASES = {
  "one process": [],
  "two processes": ["--config.workers=2"],
  "tf_keras": ["--config.keras=tf_keras"],
  "dropout and batch normalisation": ["--config.model=searches:noisy_keras", "--config.rates={}"],
  "the same in tf_keras and two processes": [
    "--config.model=searches:noisy_tf_keras", "--config.keras=tf_keras", "--config.rates={}",
    "--config.workers=2",
  ],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_often_it_ends_with_the_same_tickets_and_rows(name, tmp_path):
  flags = [*FLAGS, *CASES[name], "--config.steps=400"]
  done = run(*command(tmp_path / "whole", *flags))
  assert (done.returncode, done.said) == (0, []), done.stderr
  seed = random.randrange(10**6)
  args = command(tmp_path / "killed", *flags)
  _killed_and_gone_on(args, tmp_path / "killed", outcome(tmp_path / "whole"), kills=4, seed=seed)


@pytest.mark.slow
def test_one_process_and_two_find_the_same_tickets(finished, tmp_path):
  done = run(*command(tmp_path, *FLAGS, "--config.workers=2"))
  assert (done.returncode, done.said) == (0, []), done.stderr
  ours, theirs = outcome(tmp_path), outcome(finished[0])
  assert ours["rows"] == theirs["rows"]
  assert ours["tickets"] == theirs["tickets"]
