"""Snapshots give back what was put in, or say which file is wrong."""

import numpy as np
import pytest

from tflottery.experiments import bird_snapshot

WEIGHTS = {"bn/gamma": np.float32([0.5, 0.25]), "fc/kernel": np.float32([[1.0, 2.0]])}
MASKS = {
  0.5: {"bn/gamma": np.array([True, False])},
  0.25: {"bn/gamma": np.array([True, True])},
}


@pytest.fixture
def path(tmp_path):
  """A snapshot in the folder of a search."""
  path = tmp_path / "search" / "snapshots" / "step_8.npz"
  bird_snapshot.save(path, WEIGHTS, MASKS, [0.25])
  return path


def test_weights_masks_of_each_share_and_what_had_settled_come_back(path):
  weights = bird_snapshot.weights(path)
  assert {name: value.tolist() for name, value in weights.items()} == {
    "bn/gamma": [0.5, 0.25],
    "fc/kernel": [[1.0, 2.0]],
  }
  assert bird_snapshot.masks(path, 0.5)["bn/gamma"].tolist() == [True, False]
  assert bird_snapshot.masks(path, 0.25)["bn/gamma"].tolist() == [True, True]
  assert bird_snapshot.masks(path, 0.75) == {}
  assert bird_snapshot.settled(path) == [0.25]


def test_a_damaged_or_missing_file_is_named_with_the_cure(path):
  path.write_bytes(path.read_bytes()[:50])
  for read in (bird_snapshot.weights, bird_snapshot.settled):
    with pytest.raises(ValueError, match=r"step_8\.npz.*damaged.*Delete the folder .*search"):
      read(path)
  path.unlink()
  with pytest.raises(ValueError, match="missing or damaged"):
    bird_snapshot.masks(path, 0.5)
