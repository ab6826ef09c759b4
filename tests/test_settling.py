"""Settling: whether the newest of several masks are alike."""

import numpy as np
import pytest

from tflottery.analysis.distances import distances, distances_figure
from tflottery.structured.settling import Record


def bits(text):
  return np.array([bit == "1" for bit in text])


def record(*masks, window=3, threshold=0.1, uncounted=()):
  found = Record((0.5,), window, threshold)
  for label, mask in enumerate(masks):
    found.add(label, {0.5: bits(mask)}, counted=label not in uncounted)
  return found


def test_distances_are_the_share_of_places_that_differ():
  matrix = distances(np.array([bits("1100"), bits("1010"), bits("0011")]))
  assert matrix.dtype == np.float32
  assert matrix.tolist() == [[0.0, 0.5, 1.0], [0.5, 0.0, 0.5], [1.0, 0.5, 0.0]]


def test_the_newest_must_be_like_each_of_the_others_and_not_like_its_neighbour_alone():
  drifting = record("1111100000", "0111110000", "0011111000", threshold=0.2)
  assert drifting.drawn == {0.5: None}  # 0.2 from one to the next, 0.4 over two
  assert drifting.farthest(0.5) == pytest.approx(0.4)
  assert record("1111100000", "0111110000", "1111100000", threshold=0.2).drawn == {0.5: 2}


def test_a_distance_of_exactly_the_threshold_is_alike():
  assert record("1111100000", "1111100000", "1111100001", threshold=0.1).drawn == {0.5: 2}
  assert record("1111100000", "1111100000", "1111100011", threshold=0.1).drawn == {0.5: None}


def test_before_any_draw_there_are_no_distances():
  assert Record((0.3, 0.5), 3, 0.1).distances.shape == (2, 0, 0)


def test_only_the_last_of_the_window_are_compared():
  assert record("0000011111", "1111100000", "1111100000", "1111100000").drawn == {0.5: 3}


def test_nothing_settles_before_the_window_is_full():
  assert record("1100", "1100").drawn == {0.5: None}


def test_a_draw_that_ranks_nothing_is_all_false_and_never_counts():
  found = record("1100", "1010", "1010", "1010", uncounted=(0,))
  assert found.drawn == {0.5: 3}
  assert found.distances[0, 0].tolist() == [0.0, 0.5, 0.5, 0.5]


def test_the_first_draw_at_which_they_had_settled_stays_the_ticket():
  assert record("1100", "1100", "1100", "0011", "0011", "0011").drawn == {0.5: 2}


def test_each_share_settles_by_itself():
  found = Record((0.3, 0.5), window=2, threshold=0.1)
  assert found.add(1, {0.3: bits("10"), 0.5: bits("10")}) == []
  assert found.add(2, {0.3: bits("10"), 0.5: bits("01")}) == [0.3]
  assert not found.is_complete
  assert found.add(3, {0.3: bits("01"), 0.5: bits("01")}) == [0.5]
  assert found.drawn == {0.3: 2, 0.5: 3}
  assert found.is_complete


def test_what_is_written_is_read_again_up_to_a_label(tmp_path):
  first = record("1100", "1010", "1010", "1010", uncounted=(0,))
  first.write(tmp_path)
  again = Record((0.5,), 3, 0.1)
  again.read(tmp_path, size=4)
  settled = again.keep(until=3)
  assert (again.labels, again.drawn) == ([0, 1, 2, 3], {0.5: 3})
  assert settled[0.5].tolist() == bits("1010").tolist()
  np.testing.assert_array_equal(np.load(tmp_path / "mask_distances.npy"), first.distances)
  earlier = Record((0.5,), 3, 0.1)
  earlier.read(tmp_path, size=4)
  assert earlier.keep(until=2) == {}
  assert (earlier.labels, earlier.drawn) == ([0, 1, 2], {0.5: None})


def test_the_files_of_other_shares_are_refused(tmp_path):
  record("1100").write(tmp_path)
  with pytest.raises(ValueError, match=r"mask_draws.npz' .* Give another directory"):
    Record((0.3,), 3, 0.1).read(tmp_path, size=4)


def test_the_files_of_another_model_are_refused(tmp_path):
  record("1100").write(tmp_path)
  with pytest.raises(ValueError, match="of another model, of 4 channels and not 6"):
    Record((0.5,), 3, 0.1).read(tmp_path, size=6)


def test_a_damaged_file_is_refused(tmp_path):
  record("1100").write(tmp_path)
  (tmp_path / "mask_draws.npz").write_bytes(b"PK\x03\x04 and no more")
  with pytest.raises(ValueError, match=r"mask_draws.npz' .* Give another directory"):
    Record((0.5,), 3, 0.1).read(tmp_path, size=4)


def test_the_heat_map_shows_the_matrix_and_marks_the_ticket():
  matrix = record("1100", "1010", "1010").distances[0]
  axes = distances_figure(matrix, [0, 1, 2], drawn=2).axes[0]
  np.testing.assert_array_equal(axes.images[0].get_array(), matrix)
  assert [axes.lines[0].get_xdata()[0], axes.lines[0].get_ydata()[0]] == [2, 2]
  assert axes.get_xlabel() == "Epoch"
