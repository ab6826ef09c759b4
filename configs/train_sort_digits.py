r"""A small Transformer learns to sort strings of digits, offline: The State of Sparsity's second model.

Expected: dense and at 80 % alike, 99.9 % of the test strings sorted without a mistake (`exact_match` in
summary.json, beside `bleu`); two to three minutes on two cores.

    python -m tflottery.bin.train --config=configs/train_sort_digits.py --workdir=DIR \
        --config.algorithm=magnitude --config.sparsity=0.8
"""

from configs import train


def get_config():
  """Adam, 3,000 batches of 64 with a warm-up; masks change in steps 500 to 2,000."""
  config = train.get_config()
  config.dataset = "sort_digits"
  config.model = "transformer"
  config.algorithm = "dense"
  config.sparsity = 0.0
  config.adam.learning_rate = 1e-3
  config.warmup = 200
  config.learning_rate_drops = (2100, 2700)
  config.learning_rate_decay = 0.3
  config.steps = 3000
  config.batch_size = 64
  config.eval_every = 500
  for name in ("magnitude", "random", "gradual"):
    # Every layer is as sparse as the others: embedding, attention's projections and output as well.
    config[name].allocation = "equal"
    config[name].begin_step, config[name].end_step = 500, 2000
  return config
