"""The decision between two digits, seen in a plane of the 64 pixels.

python -m tflottery.bin.tropical --config=configs/tropical_digits.py --workdir=DIR
"""

from configs import tropical_moons


def get_config():
  """50 ReLUs on all ten digits; 3 against 8 in the principal plane of their images."""
  config = tropical_moons.get_config()
  config.dataset = "digits"
  config.hidden = 50
  config.pair = (3, 8)
  config.plane = "data"
  config.steps = 1000
  config.eval_every = 50
  config.levels = 10
  config.seeds = tuple(range(5))
  return config
