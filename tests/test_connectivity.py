"""Lines, curves and barriers against values worked by hand on networks of two weights."""

import numpy as np
import pytest
from builders import one_kernel

from tflottery.analysis import barrier, bezier, evaluate_path, line
from tflottery.analysis.connectivity import is_stable


def test_a_line_is_the_weighted_mean_of_its_ends():
  first, second = {"w": np.array([0.0, 8.0])}, {"w": np.array([4.0, -8.0])}
  assert line(first, second, 0.25)["w"].tolist() == [1.0, 4.0]
  assert line(first, second, 0.5)["w"].tolist() == [2.0, 0.0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_line_has_exactly_its_ends_and_their_dtype(dtype):
  draws = np.random.default_rng(0).normal(size=(2, 50)).astype(dtype)
  first, second = {"w": draws[0]}, {"w": draws[1]}
  for amount, end in ((0, first), (1, second), (0.0, first), (1.0, second)):
    np.testing.assert_array_equal(line(first, second, amount)["w"], end["w"])
  assert line(first, second, 1 / 3)["w"].dtype == dtype


def test_ints_and_bools_on_a_line_are_those_of_the_first():
  first = {"count": np.array(3), "on": np.array([True, False]), "w": np.zeros(1)}
  second = {"count": np.array(9), "on": np.array([False, True]), "w": np.ones(1)}
  middle = line(first, second, 0.75)
  assert middle["count"] == 3 and middle["count"].dtype == first["count"].dtype
  assert middle["on"].tolist() == [True, False]
  assert middle["w"].tolist() == [0.75]


def test_copies_whose_weights_do_not_match_are_refused_with_every_path():
  first = {"a": np.zeros((2, 3)), "b": np.zeros(4), "c": np.zeros(1)}
  second = {"a": np.zeros((3, 2)), "c": np.zeros(1), "d": np.zeros(5)}
  with pytest.raises(ValueError, match="copies whose weights don't match") as error:
    line(first, second, 0.5)
  message = str(error.value)
  assert "a: (2, 3) in first, (3, 2) in second" in message
  assert "b: (4,) in first, absent in second" in message
  assert "d: absent in first, (5,) in second" in message
  assert "c:" not in message


def test_a_bezier_curve_is_drawn_towards_its_control():
  first, control, second = ({"w": np.array(v)} for v in ([0.0, 0.0], [1.0, 2.0], [4.0, 0.0]))
  assert bezier(first, control, second, 0.5)["w"].tolist() == [1.5, 1.0]
  # shares 9/16, 6/16, 1/16
  assert bezier(first, control, second, 0.25)["w"].tolist() == [0.625, 0.75]
  assert bezier(first, control, second, 0)["w"].tolist() == [0, 0]
  assert bezier(first, control, second, 1)["w"].tolist() == [4, 0]


def test_a_control_of_another_shape_is_refused():
  end = {"w": np.zeros(2)}
  with pytest.raises(ValueError, match=r"w: \(2,\) in first, \(3,\) in control"):
    bezier(end, {"w": np.zeros(3)}, end, 0.5)


@pytest.mark.parametrize(
  ("values", "rise"),
  [
    ([0.25, 0.75, 0.5], 0.375),
    ([0.5, 0.25, 0.5], 0.0),  # a valley
    ([0.0, 0.25, 0.5], 0.25),  # the highest is an end
    ([1.0, 1.0], 0.0),
    ((2, 8, 3, 4), 5.0),
  ],
)
def test_a_barrier_is_the_highest_value_less_the_mean_of_the_ends(values, rise):
  assert barrier(values) == rise


@pytest.mark.parametrize("values", [[], [0.5], [0.1, float("nan"), 0.1], [[0.1, 0.2]]])
def test_a_barrier_of_less_than_two_finite_values_is_refused(values):
  with pytest.raises(ValueError, match="give two finite numbers or more"):
    barrier(values)


def _product(k):
  """u * v * x, whose loss on (1, 1) is the same at (1, 1) and at (-1, -1)."""
  layers = [k.layers.Dense(1, use_bias=False, name=name) for name in ("u", "v")]
  model = k.Sequential([k.layers.Input((1,)), *layers])
  model.compile("sgd", "mse", metrics=["mae"])
  return model


def _weights(u, v):
  values = {"u/kernel": u, "v/kernel": v}
  return {path: np.array([[value]], "float32") for path, value in values.items()}


def test_a_networks_error_along_the_line_is_as_by_hand(k):
  model = _product(k)
  x = np.ones((4, 1), "float32")
  rows = evaluate_path(
    model,
    lambda amount: line(_weights(1, 1), _weights(-1, -1), amount),
    lambda: model.evaluate(x, x, verbose=0),
    points=5,
  )
  # u = v = 1 - 2a, so the output is (1 - 2a)^2: 1, 1/4, 0, 1/4, 1 instead of 1
  assert [amount for amount, *_ in rows] == [0, 0.25, 0.5, 0.75, 1]
  np.testing.assert_allclose([loss for _, loss, _ in rows], [0, 0.5625, 1, 0.5625, 0], atol=1e-7)
  np.testing.assert_allclose([mae for *_, mae in rows], [0, 0.75, 1, 0.75, 0], atol=1e-7)
  assert barrier([mae for *_, mae in rows]) == 1


def test_thirty_places_are_the_default_with_both_ends(k):
  model = one_kernel(k, [0.0, 0.0], "sgd")
  first, second = ({"fc/kernel": np.full((2, 1), v, "float32")} for v in (0, 29))
  rows = evaluate_path(
    model, lambda amount: line(first, second, amount), lambda: (model.get_weights()[0][0, 0],)
  )
  np.testing.assert_allclose(rows, [(i / 29, i) for i in range(30)], atol=1e-5)


def test_the_model_is_as_before_after_a_path_and_after_an_error(k):
  model = one_kernel(k, [3.0, -2.0], "sgd")
  ends = [{"fc/kernel": np.full((2, 1), v, "float32")} for v in (0, 1)]

  def broken():
    assert model.get_weights()[0].max() <= 1
    raise RuntimeError("no data")

  evaluate_path(model, lambda amount: line(*ends, amount), lambda: (0.0,), points=2)
  assert model.get_weights()[0].ravel().tolist() == [3, -2]
  with pytest.raises(RuntimeError, match="no data"):
    evaluate_path(model, lambda amount: line(*ends, amount), broken, points=2)
  assert model.get_weights()[0].ravel().tolist() == [3, -2]


def _normalised(k):
  """w * x, normalised by its moving statistics."""
  normalisation = k.layers.BatchNormalization(
    center=False, scale=False, epsilon=0.5, momentum=0.9, name="bn"
  )
  layers = [k.layers.Dense(1, use_bias=False, name="fc"), normalisation]
  return k.Sequential([k.layers.Input((1,)), *layers])


def _end(weight, mean, variance):
  arrays = {"fc/kernel": [[weight]], "bn/moving_mean": [mean], "bn/moving_variance": [variance]}
  return {path: np.array(array, "float32") for path, array in arrays.items()}


def test_statistics_on_the_line_are_interpolated_or_estimated_anew(k):
  model = _normalised(k)
  before = [np.array(array) for array in model.get_weights()]
  x = np.array([[1.0], [3.0]], "float32")  # mean 2, variance 1
  first, second = _end(1, mean=2, variance=1), _end(3, mean=6, variance=9)

  def output(**options):
    rows = evaluate_path(
      model,
      lambda amount: line(first, second, amount),
      lambda: (np.array(model(x[1:]))[0, 0],),
      points=3,
      **options,
    )
    return [value for _, value in rows]

  # at w = 2: (6 - 4) / sqrt(5 + 0.5) with the mean of the variances 1 and 9, with their own 4 + 0.5
  ends = 1 / 1.5**0.5, 3 / 9.5**0.5
  np.testing.assert_allclose(output(), [ends[0], 2 / 5.5**0.5, ends[1]], rtol=1e-5)
  anew = output(statistics="reestimate", data=[x])
  np.testing.assert_allclose(anew, [ends[0], 2 / 4.5**0.5, ends[1]], rtol=1e-5)
  for array, old in zip(model.get_weights(), before, strict=True):
    np.testing.assert_array_equal(array, old)


def test_the_ends_too_are_estimated_anew(k):
  model = _normalised(k)
  wrong = _end(2, mean=100, variance=100)
  rows = evaluate_path(
    model,
    lambda amount: line(wrong, wrong, amount),
    lambda: [array.item() for array in model.get_weights()[1:]],
    points=2,
    statistics="reestimate",
    data=[np.array([[1.0], [3.0]], "float32")],
  )
  np.testing.assert_allclose(rows, [(0, 4, 4), (1, 4, 4)], rtol=1e-6)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"points": 1}, "points=1"),
    ({"statistics": "mean"}, "statistics='mean' is unknown. Choose one of interpolate, reestimate"),
    ({"statistics": "reestimate"}, "needs data="),
  ],
)
def test_bad_arguments_are_refused_before_a_path_is_evaluated(k, options, message):
  model = one_kernel(k, [1.0, 1.0], "sgd")
  with pytest.raises(ValueError, match=message):
    evaluate_path(model, pytest.fail, pytest.fail, **options)


def test_a_path_of_another_models_weights_is_refused(k):
  model = one_kernel(k, [1.0, 2.0], "sgd")
  weights = {"fc/kernel": np.zeros((3, 1), "float32"), "fc/bias": np.zeros(1, "float32")}
  with pytest.raises(ValueError, match=r"\(2, 1\) in model, \(3, 1\) in path; fc/bias: absent"):
    evaluate_path(model, lambda _: weights, pytest.fail)
  assert model.get_weights()[0].ravel().tolist() == [1, 2]


def test_what_is_evaluated_may_be_a_number_and_is_no_dict(k):
  model = one_kernel(k, [3.0], "sgd")
  ends = [{"fc/kernel": np.array([[value]], "float32")} for value in (2.0, 4.0)]

  def path(amount):
    return line(*ends, amount)

  rows = evaluate_path(model, path, lambda: model.get_weights()[0][0, 0], points=3)
  assert rows == [(0, 2), (0.5, 3), (1, 4)]
  with pytest.raises(ValueError, match="evaluate returned a dict with loss"):
    evaluate_path(model, path, lambda: {"loss": 1.0}, points=3)
  assert model.get_weights()[0][0, 0] == 3


@pytest.mark.parametrize("errors", [(0.1, 0.12, 0.1), (0.12, 0.14, 0.12), (0.3, 0.34, 0.34)])
def test_two_points_exactly_are_stable_and_more_is_not(errors):
  assert is_stable(np.float32(barrier(errors)))
  assert not is_stable(barrier((errors[0], errors[1] + 1e-4, errors[2])))
