"""The State of Sparsity, its second model: a Transformer that sorts strings of digits, by every method.

Gale et al. 2019, arXiv:1902.09574. Offline; `exact_match`, the share of strings that the network sorts
without help, and `bleu` stand in every cell's summary.json.

    python -m tflottery.bin.compare --config=configs/state_of_sparsity_sort_digits.py --workdir=DIR
"""

import ml_collections

from configs import compare, train_sort_digits


def get_config():
  """The training of configs/train_sort_digits.py, 80 to 98 %, one seed."""
  config = compare.of(train_sort_digits.get_config())
  config.algorithms = (
    "dense", "magnitude", "variational_dropout", "l0", "random",
    "magnitude_ticket", "magnitude_scratch_e",
  )  # fmt: skip
  config.sparsities = (0.8, 0.9, 0.95, 0.98)
  config.grid = ml_collections.ConfigDict(
    {"variational_dropout": {"strength": (1e-5, 3e-5)}, "l0": {"strength": (3e-6, 1e-5)}}
  )
  return config
