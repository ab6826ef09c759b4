"""The report says what the rows say and needs no other file."""

import csv
import json
import re

import pytest

from tflottery.experiments import report


def _row(seed, level, remaining, accuracy, *, arm="ticket", step=1000):
  return {
    "seed": seed,
    "level": level,
    "arm": arm,
    "remaining_percent": remaining,
    "early_stop_step": step,
    "early_stop_test_accuracy": accuracy,
    "final_test_accuracy": accuracy - 0.01,
    "train_seconds": 30.0,
    "steps_per_second": 100.0 + 100 * seed,
  }


# 9 networks: dense 96.90, 97.00 and 97.10 %, a ticket at one level and its control.
ROWS = [
  *(_row(seed, 0, 100.0, 0.969 + 0.001 * seed, step=1000 + 100 * seed) for seed in range(3)),
  *(_row(seed, 1, 51.3, 0.98) for seed in range(3)),
  *(_row(seed, 1, 51.3, 0.94, arm="reinit", step=1500) for seed in range(3)),
]


CONFIG = {
  "dataset": "digits",
  "model": "<lenet> & co",
  "optimizer": {"name": "adam", "learning_rate": 0.0012},
  "seeds": [0, 1, 2],
  "versions": {"keras": "3.15.1"},
}
LAYERS = [
  {"seed": 0, "level": level, "site": "fc1/kernel", "size": 10, "kept": 10 - level,
   "remaining_percent": 100.0 - 10 * level}
  for level in range(4)
]  # fmt: skip


def _csv(path, rows):
  with open(path, "w", newline="", encoding="utf-8") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)


def _written(workdir, rows=ROWS, config=CONFIG):
  """Text of the report on `rows`."""
  _csv(workdir / "results.csv", rows)
  _csv(workdir / "layers.csv", LAYERS)
  (workdir / "config.json").write_text(json.dumps(config), encoding="utf-8")
  report.write(workdir)
  return (workdir / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("search")
  return workdir, _written(workdir)


def _cells(text, start):
  """Texts of the cells in the rows of tables whose name is `start`."""
  rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text)
  cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
  return [row for row in cells if row[0] == start]


def test_the_report_and_its_figures_are_written_and_nothing_is_left_beside_them(searched):
  workdir, _ = searched
  written = {"accuracy.png", "early_stop.png", "layers.png", "report.html"}
  read = {"results.csv", "layers.csv", "config.json"}
  assert {path.name for path in workdir.iterdir()} == written | read
  assert (workdir / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_needs_no_other_file(searched):
  _, text = searched
  sources = re.findall(r'(?:src|href)="([^"]*)"', text)
  assert [source.split(",")[0] for source in sources] == ["data:"] + 3 * ["data:image/png;base64"]
  assert not re.search(r"https?://|<script|@import|url\(", text)


def test_every_figure_has_a_text_in_its_place(searched):
  _, text = searched
  assert len(re.findall(r'<img alt="[^"]+" src=', text)) == 3


def test_texts_are_escaped(searched):
  _, text = searched
  assert "<h1>&lt;lenet&gt; &amp; co on digits</h1>" in text
  assert "<title>&lt;lenet&gt; &amp; co on digits</title>" in text
  assert "<lenet>" not in text


def test_the_verdict_stands_before_the_figures(searched):
  _, text = searched
  assert text.index("of the weights the ticket still matches") < text.index("<figure>")


def test_the_table_has_the_means_over_the_seeds(searched):
  _, text = searched
  assert _cells(text, "dense network") == [
    ["dense network", "0", "100", "1,100", "97.00 ± 0.10", "96.90 to 97.10", "96.00", "3"]
  ]
  (control,) = _cells(text, "random re-initialisation")
  assert control[1:] == ["1", "51.3", "1,500", "94.00 ± 0.00", "94.00 to 94.00", "93.00", "3"]


def test_the_rows_of_the_ticket_stand_out(searched):
  _, text = searched
  emphasised = re.findall(r'<tr class="emphasised"><th scope="row">(.*?)</th>', text)
  assert emphasised == ["dense network", "winning ticket"]


def test_the_time_is_the_sum_and_the_speed_the_median(searched):
  # 9 networks of 30 s; as many ran at 100, 200 and 300 steps/s.
  _, text = searched
  assert _cells(text, "Training, all networks")[0][1] == "270 s (0:04:30)"
  assert _cells(text, "Median speed")[0][1] == "200.0 steps/s"


def test_nested_settings_have_dotted_names_and_versions_stand_apart(searched):
  _, text = searched
  assert _cells(text, "optimizer.learning_rate") == [["optimizer.learning_rate", "0.0012"]]
  assert _cells(text, "seeds") == [["seeds", "[0, 1, 2]"]]
  assert _cells(text, "keras") == [["keras", "3.15.1"]]
  assert text.index("<h2>Versions</h2>") < text.index(">keras<")


def test_one_seed_claims_no_spread(tmp_path):
  text = _written(tmp_path, rows=[_row(0, 0, 100.0, 0.97)], config={"model": "m", "dataset": "d"})
  assert _cells(text, "dense network") == [
    ["dense network", "0", "100", "1,000", "97.00", "one seed", "96.00", "1"]
  ]
  assert "Versions" not in text


def test_the_same_rows_make_the_same_report(searched, tmp_path):
  _, text = searched
  assert _written(tmp_path) == text


def test_a_search_that_has_trained_nothing_yet_has_a_report(tmp_path):
  for name in ("results.csv", "layers.csv"):
    (tmp_path / name).write_text("seed,level,arm\n", encoding="utf-8")
  (tmp_path / "config.json").write_text("{}", encoding="utf-8")
  report.write(tmp_path)
  assert "The dense network is not trained yet" in (tmp_path / "report.html").read_text("utf-8")


def test_a_failed_report_leaves_the_old_one(searched, tmp_path):
  old = _written(tmp_path)
  (tmp_path / "config.json").write_text("{", encoding="utf-8")
  with pytest.raises(json.JSONDecodeError):
    report.write(tmp_path)
  assert (tmp_path / "report.html").read_text("utf-8") == old
