"""Weights that are computed again from a seed."""

import json
import subprocess
import sys
import zlib

import numpy as np
import pytest
from searches import ROOT, environment

import tflottery as tfl
from tflottery.tickets.drawn import Drawn

GLOROT = {"class_name": "GlorotUniform", "config": {}}


def sites_of(k, **initializers):
  """A Dense of 4 x 3 and a DepthwiseConv2D of 2 x 2 x 3."""
  model = k.Sequential(
    [
      k.layers.Input((5, 5, 3)),
      k.layers.DepthwiseConv2D(2, name="depthwise"),
      k.layers.GlobalAveragePooling2D(),
      k.layers.Dense(4, name="fc", kernel_initializer=initializers.get("fc", "glorot_uniform")),
    ]
  )
  depthwise, dense = tfl.sites(model).values()
  return dense, depthwise


def test_an_initializer_of_constants_gives_them():
  drawn = Drawn({"class_name": "Constant", "config": {"value": -2.5}}, (2, 1), (1, 2))
  assert drawn.values().tolist() == [[-2.5], [-2.5]] and drawn.values().dtype == np.float32


def test_the_signed_constant_is_the_sign_times_the_deviation_of_the_population():
  plain, signed = (Drawn(GLOROT, (3, 4), (7,), constant=constant) for constant in (False, True))
  draw = plain.values().astype("float64")
  deviation = np.sqrt(np.mean((draw - draw.mean()) ** 2))
  np.testing.assert_allclose(signed.values(), np.sign(draw) * deviation, rtol=1e-6)
  assert len(np.unique(np.abs(signed.values()))) == 1 and len(np.unique(signed.values())) == 2


def test_a_multiple_is_applied_last_in_float32():
  for constant in (False, True):
    once = Drawn(GLOROT, (3, 4), (7,), constant=constant).values()
    scaled = Drawn(GLOROT, (3, 4), (7,), constant=constant, multiple=1.7).values()
    assert scaled.tobytes() == (once * np.float32(1.7)).tobytes()


def test_every_part_of_the_seed_matters_and_equal_ones_draw_the_same():
  draws = [Drawn(GLOROT, (3, 4), seed).values() for seed in [(1, 2), [1, 2], (2, 1), (1,), 1]]
  assert draws[0].tobytes() == draws[1].tobytes() and draws[3].tobytes() == draws[4].tobytes()
  assert len({draw.tobytes() for draw in draws}) == 3


def test_a_draw_of_a_site_is_by_its_layers_own_initializer(k):
  wide = k.initializers.RandomUniform(5.0, 6.0, seed=3)
  dense, depthwise = sites_of(k, fc=wide)
  drawn = Drawn.of(dense, (0, 1), keras=k.__name__, multiple=2.0)
  assert drawn.shape == (3, 4) and drawn.seed == (0, 1) and drawn.keras == k.__name__
  assert "seed" not in drawn.initializer["config"]
  values = drawn.values()
  assert values.min() >= 10 and values.max() <= 12 and len(np.unique(values)) == 12
  assert Drawn.of(depthwise, 0, keras=k.__name__).values().shape == depthwise.shape


def test_json_and_back_gives_the_same_draw(k):
  for site in sites_of(k):
    drawn = Drawn.of(site, (3, 1), keras=k.__name__, constant=True, multiple=0.1)
    again = Drawn.from_json(json.loads(json.dumps(drawn.to_json())))
    assert again == drawn and again.values().tobytes() == drawn.values().tobytes()


_PROGRAM = """
import json, sys, zlib
from tflottery.tickets.drawn import Drawn
for line in sys.stdin:
  print(zlib.crc32(Drawn.from_json(json.loads(line)).values().tobytes()))
"""


@pytest.mark.slow
def test_another_process_draws_the_same():
  names = ["GlorotUniform", "HeNormal", "LecunUniform", "TruncatedNormal", "VarianceScaling"]
  draws = [
    Drawn({"class_name": name, "config": {}}, (50, 40), (seed, 2), kind, constant)
    for name in [*names, "Orthogonal"]
    for kind in ("keras", "tf_keras")
    for seed, constant in [(0, False), (5, True)]
  ]
  said = subprocess.run(
    [sys.executable, "-c", _PROGRAM],
    input="\n".join(json.dumps(drawn.to_json()) for drawn in draws),
    cwd=ROOT,
    env=environment(PYTHONHASHSEED="17"),
    capture_output=True,
    text=True,
    check=True,
  ).stdout
  assert [int(line) for line in said.split()] == [zlib.crc32(d.values().tobytes()) for d in draws]


# --- Misuse --------------------------------------------------------------------------------------


def test_an_initializer_of_ones_own_is_refused_by_the_path_of_its_weight(k):
  class Own(k.initializers.Initializer):
    def __call__(self, shape, dtype=None, **_):
      return np.ones(shape, "float32")

    def get_config(self):
      return {}

  dense, _ = sites_of(k, fc=Own())
  with pytest.raises(
    ValueError, match=r"fc/kernel: its initializer .*Take its weights as they are"
  ):
    Drawn.of(dense, 0, keras=k.__name__)


def test_a_layer_that_declares_no_initializer_is_refused_by_the_path_of_its_weight(k):
  class Own(k.layers.Layer):
    def build(self, shape):
      self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 2))

    def call(self, x):
      return x

  model = k.Sequential([k.layers.Input((3,)), Own(name="own")])
  with pytest.raises(ValueError, match=r"own/kernel: its layer declares no initializer"):
    Drawn.of(tfl.sites(model)["own/kernel"], 0, keras=k.__name__)


@pytest.mark.parametrize(
  "change, said",
  [
    ({"shape": (2, -1)}, "shape"),
    ({"shape": (2.5,)}, "shape"),
    ({"seed": (-1,)}, "seed"),
    ({"keras": "torch"}, "keras='torch' is unknown"),
    ({"keras": ["keras"]}, "is unknown"),
    ({"multiple": float("inf")}, "multiple=inf"),
    ({"initializer": {"class_name": "Nothing", "config": {}}}, "Nothing"),
    ({"initializer": {"class_name": "get", "config": {}}}, "get"),
    ({"initializer": {"class_name": "GlorotUniform", "config": {"scale": 3}}}, "scale"),
    ({"initializer": {"class_name": "GlorotUniform"}}, "config"),
    ({"initializer": 3}, "initializer=3"),
  ],
)
def test_what_can_not_be_drawn_is_refused_when_it_is_made(change, said):
  with pytest.raises(ValueError, match=said):
    Drawn(**{"initializer": GLOROT, "shape": (2, 2), "seed": (0,)} | change)
