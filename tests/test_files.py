"""Files that are never half written."""

import os

import pytest

from tflottery import files


def test_text_and_bytes_are_written_and_folders_made(tmp_path):
  files.write(tmp_path / "a" / "b" / "text", "häß\n")
  files.write(str(tmp_path / "bytes"), b"\x00\xff")
  assert (tmp_path / "a" / "b" / "text").read_bytes() == "häß\n".encode()
  assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
  assert sorted(os.listdir(tmp_path)) == ["a", "bytes"]
  assert os.listdir(tmp_path / "a" / "b") == ["text"]


def test_a_longer_file_is_replaced_whole(tmp_path):
  path = tmp_path / "file"
  files.write(path, "a long text")
  with open(path) as reader:
    files.write(path, "short")
    assert reader.read() == "a long text", "a reader of the old file saw the new one"
  assert path.read_text() == "short"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path):
  path = tmp_path / "file"
  files.write(path, "old")
  with pytest.raises(TypeError):
    files.write(path, 5)
  (tmp_path / "folder").mkdir()
  with pytest.raises(OSError):
    files.write(tmp_path / "folder", "a folder is in the way")
  assert path.read_text() == "old"
  assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
