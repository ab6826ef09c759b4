r"""Gale et al. 2019, arXiv:1902.09574: the Transformer on WMT 14 English-German, by every method.

Expected (means of the authors' published tables, BLEU of the best of their grids at sparsities of 50, 80, 90,
95 and 98 %; dense 27.3): magnitude 26.3, 24.7, 23.3, 20.8, 16.4; variational dropout 26.3, 24.3, 21.4, 19.1,
14.5; L0 26.7, 24.2, 20.1, 19.8, 16.8; random 24.6, 23.2, 20.7, 17.4, 10.9. Not run here: for accelerators,
there with --config.dtype_policy=mixed_bfloat16. `bleu` stands in every cell's summary.json.

    TFDS_DATA_DIR=... python -m tflottery.bin.compare \
        --config=configs/papers/state_of_sparsity_transformer_wmt14.py --workdir=DIR

Departs: batches of 1,024 pairs padded to 100 tokens, where the authors' hold 4,096 tokens a device; the
learning rate falls by steps that meet their inverse square root at every doubling of the step; greedy
decoding and sacrebleu, where they search 4 beams and score tokens; one threshold of variational dropout;
the best of the grid is chosen by validation accuracy and not by BLEU.
"""

import ml_collections

from configs import compare, train

# A tenth, four and seven tenths and the whole of the penalty divided by the 4.5 million training pairs.
_STRENGTHS = (2.2e-8, 8.9e-8, 1.56e-7, 2.2e-7)


def get_config():
  """Adam, 500,000 batches, warm-up of 8,000; masks change up to step 400,000."""
  config = train.get_config()
  config.dataset = "wmt14_translate/en-de"
  config.model = "transformer_base"
  # 2 * 512 ** -0.5 * 8000 ** -0.5 at the end of the warm-up.
  config.adam = ml_collections.ConfigDict(
    {"learning_rate": 9.9e-4, "beta_1": 0.9, "beta_2": 0.997, "epsilon": 1e-9}
  )
  config.warmup = 8000
  config.learning_rate_drops = (16_000, 32_000, 64_000, 128_000, 256_000)
  config.learning_rate_decay = 0.5**0.5
  config.label_smoothing = 0.1
  config.steps = 500_000
  config.batch_size = 1024
  config.eval_every = 10_000
  for name in ("magnitude", "random"):
    config[name].allocation = "equal"
    config[name].begin_step, config[name].end_step = 0, 400_000
    config[name].frequency = 10_000
  for name in ("variational_dropout", "l0"):
    config[name].begin_step, config[name].end_step = 0, 200_000
    config[name].ramp = "cubic"
  config.scratch_b.most = 2.0

  config = compare.of(config)
  config.algorithms = (
    "dense", "magnitude", "variational_dropout", "l0", "random",
    "magnitude_ticket", "magnitude_scratch_e", "magnitude_scratch_b",
  )  # fmt: skip
  config.sparsities = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
  config.grid = ml_collections.ConfigDict(
    {
      "magnitude": {"begin_step": (0, 100_000, 200_000), "frequency": (1000, 10_000)},
      "variational_dropout": {"strength": _STRENGTHS},
      "l0": {"strength": _STRENGTHS},
    }
  )
  config.workers = 1
  return config
