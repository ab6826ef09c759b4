"""ImageNet from disk: its order, its crops, its errors, on a small stand-in of the same features."""

import numpy as np
import pytest
import stand_in
import tensorflow as tf
import tensorflow_datasets as tfds
from builders import KERASES, two_replicas
from runs import outcome, task_of, trained

from tflottery.experiments import crops, data, imagenet
from tflottery.tickets.ticket import Ticket

SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
  """Where 300 training and 60 test images lie, in three files each."""
  return str(stand_in.prepare(tmp_path_factory.mktemp("imagenet")))


@pytest.fixture(scope="module")
def loaded(data_dir):
  return imagenet.load("imagenet2012", data_dir=data_dir).part(shape=SHAPE)


def steps(dataset, start, stop, *, batch_size=50, seed=3, **kwargs):
  """[(bytes of the images, list of the labels)] of training batches."""
  batches = dataset.training(
    batch_size=batch_size, seed=seed, start=start, stop=stop, **{"augment": True, **kwargs}
  )
  return [(images.numpy().tobytes(), labels.numpy().tolist()) for images, labels in batches]


def images_of(batches):
  return np.concatenate([images for images, _ in batches])


def test_the_splits_are_the_training_split_its_end_and_the_published_validation(loaded, data_dir):
  assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [270, 30, 60]
  assert (loaded.classes, loaded.image_shape, loaded.padding) == (1000, SHAPE, None)
  builder = tfds.builder("imagenet2012", data_dir=data_dir)
  for split, name in ((loaded.validation, "train[270:]"), (loaded.test, "validation")):
    examples = tfds.as_numpy(
      builder.as_dataset(split=name, read_config=tfds.ReadConfig(interleave_cycle_length=1))
    )
    expected = [example["label"] for example in examples]
    batches = loaded.whole(split, batch_size=7, moments=None)
    assert np.concatenate([labels for _, labels in batches]).tolist() == expected


def test_images_are_of_224_pixels_unless_another_shape_is_asked(data_dir):
  whole = imagenet.load("imagenet2012", data_dir=data_dir, validation=0)
  assert whole.image_shape == (224, 224, 3) == whole.inputs(2).shape[1:]
  assert (len(whole.train), len(whole.validation)) == (300, 0)
  assert whole.part() is whole
  assert list(whole.whole(whole.validation, batch_size=9, moments=None)) == []


def test_it_comes_through_data_load(data_dir):
  dataset = data.load("imagenet2012", data_dir=data_dir, validation=40, shape=SHAPE)
  assert (len(dataset.validation), dataset.image_shape) == (40, SHAPE)


@pytest.fixture(scope="module")
def thirteen(loaded):
  """Augmented steps of two epochs and a half: an epoch has 5."""
  return steps(loaded, 0, 13)


def test_a_training_cut_anywhere_goes_on_the_same(loaded, thirteen):
  assert len(thirteen) == 13
  assert steps(loaded, 7, 13) == thirteen[7:]
  assert steps(loaded, 10, 11) == thirteen[10:11]


def test_an_epoch_takes_no_example_twice_and_the_next_is_in_another_order(loaded):
  plain = loaded.training(batch_size=90, seed=0, start=0, stop=6, augment=False)
  first, second = (images_of(plain.skip(3 * epoch).take(3)) for epoch in (0, 1))
  kept = [{image.tobytes() for image in images} for images in (first, second)]
  everything = images_of(loaded.whole(loaded.train, batch_size=90, moments=None))
  assert kept[0] == kept[1] == {image.tobytes() for image in everything}
  assert len(kept[0]) == 270
  assert np.mean([(a == b).all() for a, b in zip(first, second, strict=True)]) < 0.05
  assert np.mean([(a == b).all() for a, b in zip(first, everything, strict=True)]) < 0.05


def test_the_order_is_of_its_seed_and_not_of_tensorflows(loaded, thirteen):
  tf.random.set_seed(5)
  assert steps(loaded, 0, 1) == thirteen[:1]
  assert steps(loaded, 0, 1, seed=4)[0][1] != thirteen[0][1]


def test_another_seed_of_the_augmentation_keeps_the_order(loaded, thirteen):
  [(images, labels)] = steps(loaded, 0, 1, augment_seed=4)
  assert labels == thirteen[0][1]
  assert images != thirteen[0][0]


def test_images_are_in_the_unit_interval_or_standardised(loaded):
  plain = images_of(loaded.whole(loaded.test, batch_size=60, moments=None))
  scaled = images_of(loaded.whole(loaded.test, batch_size=60, moments=loaded.moments()))
  assert plain.dtype == np.float32 and plain.shape == (60, *SHAPE)
  assert plain.min() > -0.2 and 0.6 < plain.max() < 1.2  # bicubic goes a little beyond
  np.testing.assert_allclose(
    scaled, (plain - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], atol=1e-5
  )


def test_an_evaluation_decodes_at_most_250_images_at_once(loaded):
  sizes = [len(labels) for _, labels in loaded.whole(loaded.train, batch_size=1000, moments=None)]
  assert sizes == [250, 20]


def _picture(height, width):
  """A JPEG of rising red from top to bottom, and of rising green from left to right."""
  rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
  image = np.round(255 * np.stack([rows, columns, np.zeros_like(rows)], -1)).astype(np.uint8)
  return tf.io.encode_jpeg(image, quality=100, chroma_downsampling=False)


def _places(image):
  """What rows and columns of the picture its own are, as shares of height and width."""
  return image[..., 0].mean(1) / 255, image[..., 1].mean(0) / 255


def test_the_central_crop_is_seven_eighths_of_the_shorter_side():
  encoded = _picture(80, 160)
  seen = tf.io.decode_jpeg(encoded)[5:75, 45:115]  # 70 of 80 pixels
  np.testing.assert_array_equal(crops.central(encoded, 70), seen)


def test_random_crops_have_the_areas_and_the_aspects_that_are_asked_for():
  encoded = _picture(120, 160)
  crop = tf.function(lambda key: crops.random(encoded, key, 8))
  areas, aspects, corners, flips = [], [], set(), 0
  for number in range(200):
    rows, columns = _places(crop(tf.constant([0, number], tf.int64)).numpy())
    tall, wide = (
      8 / 7 * np.ptp(side) for side in (rows, columns)
    )  # seven steps between eight pixels
    areas.append(tall * wide)
    aspects.append(wide * 160 / (tall * 120))
    corners.add((round(rows[0], 2), round(columns.min(), 2)))
    flips += columns[-1] < columns[0]
  assert 0.09 < min(areas) < 0.15 and 0.7 < max(areas) < 1.05  # at least a tenth
  assert 0.7 < min(aspects) < 0.85 and 1.2 < max(aspects) < 1.4
  assert 70 < flips < 130
  assert len(corners) > 150


def test_where_no_random_crop_fits_it_is_the_central_one():
  encoded = _picture(160, 8)  # nothing of its area is within the aspects
  image = crops.random(encoded, tf.constant([0, 1], tf.int64), 7).numpy()
  central = crops.central(encoded, 7).numpy()
  assert np.array_equal(image, central) or np.array_equal(image, central[:, ::-1])


BAD_PARTS = {
  "a half": ({"half": "a"}, r"half='a': 'imagenet2012' is read from disk.*Give ''"),
  "labels": ({"labels": (1, 2)}, r"labels=\(1, 2\): .*Give \(\)"),
  "an oblong shape": ({"shape": (64, 32, 3)}, r"shape=\(64, 32, 3\): .*\(224, 224, 3\)"),
  "one channel": ({"shape": (64, 64, 1)}, r"shape=\(64, 64, 1\): .*three channels"),
}


@pytest.mark.parametrize("name", BAD_PARTS)
def test_parts_that_it_has_not_are_refused(name, loaded):
  parts, text = BAD_PARTS[name]
  with pytest.raises(ValueError, match=text):
    loaded.part(**parts)


def test_batches_and_steps_out_of_range_are_refused(loaded):
  with pytest.raises(ValueError, match=r"batch_size=271: must lie in 1\.\.270"):
    steps(loaded, 0, 1, batch_size=271)
  with pytest.raises(ValueError, match="start=3, stop=2"):
    steps(loaded, 3, 2)


def test_a_validation_of_everything_is_refused(data_dir):
  with pytest.raises(ValueError, match=r"validation=300: must lie in 0\.\.299 for 'imagenet2012'"):
    imagenet.load("imagenet2012", data_dir=data_dir, validation=300)


@pytest.mark.parametrize("name", ["imagenet2012", "imagenet2012_subset/10pct"])
def test_what_is_not_prepared_says_how_it_is(name, tmp_path):
  with pytest.raises(FileNotFoundError) as error:
    imagenet.load(name, data_dir=tmp_path)
  text = str(error.value)
  assert "\n" not in text
  words = [repr(name), "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "TFDS_DATA_DIR"]
  words += [f"into {tmp_path}/downloads/manual", f"tfds build {name} --data_dir={tmp_path}"]
  assert [word for word in words if word not in text] == [], text
  assert list(tmp_path.iterdir()) == []


def _task(data_dir, **changes):
  values = {
    "dataset": "imagenet2012", "data_dir": data_dir, "image_shape": (32, 32, 3), "augment": True,
    "standardize": True, "label_smoothing": 0.1, "learning_rate_batch": 256, "warmup": "2it",
    "steps": 4, "eval_every": 2, "batch_size": 16, "optimizer": "sgd", "algorithm": "magnitude",
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
    "magnitude": {"end_step": 3, "frequency": 1}, "sparsity": 0.5, "model": "wide_resnet_10_2",
  }  # fmt: skip
  return task_of(**values | changes)


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_stopped(k, data_dir, tmp_path):
  work = _task(data_dir, keras=k.__name__)
  assert trained(work, tmp_path / "whole")
  assert not trained(work, tmp_path / "cut", stop=2)
  assert trained(work, tmp_path / "cut")
  assert outcome(tmp_path / "whole") == outcome(tmp_path / "cut")


@pytest.mark.slow
@pytest.mark.parametrize(
  ("k", "policy"), [("keras", "float32"), ("tf_keras", "mixed_bfloat16")], ids=["keras", "tf_keras"]
)
def test_resnet_50_trains_on_it_with_its_masks_held(k, policy, data_dir, tmp_path):
  work = _task(
    data_dir, model="resnet_50", image_shape=(64, 64, 3), keras=k, dtype_policy=policy, steps=2,
    magnitude={"end_step": 1, "frequency": 1},
  )  # fmt: skip
  assert trained(work, tmp_path)
  ticket = Ticket.load(tmp_path / "final.ticket")
  assert len(ticket.masks) == 54
  assert not any(ticket.weights[path][~mask].any() for path, mask in ticket.masks.items())
  summary = outcome(tmp_path)["summary"]
  assert summary["sparsity"] == pytest.approx(0.5, abs=0.001)
  assert 0 <= summary["test_accuracy"] <= 1


@pytest.mark.slow
def test_it_learns_what_can_be_learnt(data_dir, tmp_path):
  work = _task(
    data_dir, steps=80, eval_every=80, batch_size=30, augment=False, warmup="20it",
    optimizer="adam", adam={"learning_rate": 3e-3}, learning_rate_batch=None, algorithm="dense",
  )  # fmt: skip
  assert trained(work, tmp_path)
  assert float(outcome(tmp_path)["rows"][-1]["validation_accuracy"]) > 0.6, "of ten digits"


@pytest.mark.slow
@pytest.mark.parametrize("k", KERASES)
def test_two_replicas_share_its_batches(k, data_dir, tmp_path):
  two_replicas()
  work = _task(data_dir, keras=k.__name__, strategy="mirrored")
  assert trained(work, tmp_path)
  assert outcome(tmp_path)["summary"]["steps"] == 4
