"""Processes side by side."""

import os
import signal
import subprocess
import sys
import time

import pytest
from searches import ROOT, environment

from tflottery.experiments import processes

_PARENT = """
import sys
import test_processes
from tflottery.experiments import processes

if __name__ == "__main__":
  processes.run(test_processes.wait_for_ever, (sys.argv[1],), [(0,), (1,)])
"""


def write_share(folder, more, share):
  """Work: says what it was given; the share 13 fails."""
  import tensorflow as tf

  threads = tf.config.threading.get_intra_op_parallelism_threads()
  with open(os.path.join(folder, f"share_{share[0]}"), "w", encoding="utf-8") as file:
    file.write(f"{more} {share} {threads} {os.getpid()}")
  if share == (13,):
    sys.exit(5)


def wait_for_ever(folder, share):
  """Work: leaves its process id and does not end."""
  beside = os.path.join(folder, f".{share[0]}")
  with open(beside, "w", encoding="utf-8") as file:
    file.write(str(os.getpid()))
  os.replace(beside, os.path.join(folder, f"pid_{share[0]}"))
  while True:
    time.sleep(1)


@pytest.mark.slow
def test_every_share_has_its_process_and_one_that_fails_is_named_after_the_others_ended(tmp_path):
  with pytest.raises(ChildProcessError) as error:
    processes.run(write_share, (str(tmp_path), "more"), [(13,), (2, 3)])
  assert "seeds (13,) ended with 5" in str(error.value)
  assert "(2, 3)" not in str(error.value) and "same command again" in str(error.value)
  said = {p.name: p.read_text().rsplit(" ", 1) for p in tmp_path.iterdir()}
  threads = max(1, os.cpu_count() // 2)
  assert said["share_13"][0] == f"more (13,) {threads}"
  assert said["share_2"][0] == f"more (2, 3) {threads}"
  assert len({pid for _, pid in said.values()} | {str(os.getpid())}) == 3


def alive(pid):
  """Whether a process runs; one that has ended and waits to be collected does not."""
  try:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
      return file.read().rsplit(")", 1)[1].split()[0] != "Z"
  except OSError:
    return False


def wait_until(condition, *, seconds=120):
  """Wait for something that must come."""
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline, "it did not come"
    time.sleep(0.02)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks for processes in /proc")
@pytest.mark.slow
def test_the_children_of_a_killed_parent_end_by_themselves(tmp_path):
  script = tmp_path / "parent.py"
  script.write_text(_PARENT)
  marks = tmp_path / "marks"
  marks.mkdir()
  parent = subprocess.Popen(
    [sys.executable, str(script), str(marks)],
    cwd=ROOT,
    env=environment(),
    stderr=subprocess.DEVNULL,
  )
  try:
    wait_until(lambda: len(list(marks.glob("pid_*"))) == 2)
    children = [int(p.read_text()) for p in marks.glob("pid_*")]
    assert all(alive(pid) for pid in children)
  finally:
    parent.send_signal(signal.SIGKILL)
    parent.wait()
  wait_until(lambda: not any(alive(pid) for pid in children))
