"""What a search keeps while it trains, and where it ends."""

import tf_keras

from tflottery import site as _sites
from tflottery.experiments import bird_snapshot
from tflottery.structured.channels import draw


class Snapshots(tf_keras.callbacks.Callback):
  """Writes a snapshot wherever a ticket is drawn or asked for; stops where no other is to come.

  Stands after `EarlyBird` in the list of callbacks, whose draws it sees, and before what writes
  checkpoints: a search that goes on from one has its snapshots.

  Args:
    work: a `bird_task.Task` of a search.
    bird: its `EarlyBird`.
  """

  def __init__(self, work, bird):
    super().__init__()
    examples = len(work.data.train)
    self._work, self._bird = work, bird
    self._limit = work.settings.limit(examples)
    self._asked = work.settings.draw_steps(examples)

  def on_epoch_end(self, epoch, logs=None):
    s, draws = self._work.settings, epoch + 1
    step = draws * s.eval_every
    settled = [share for share in s.shares if self._bird.drawn[share] == draws]
    settled = settled if step <= self._limit else []
    masks = {share: self._bird.masks[share] for share in settled}
    if step in self._asked:
      others = set(s.shares) - set(settled)
      masks |= {share: draw(self.model, share, **self._work.drawing) for share in others}
    if masks:
      weights = {path: _sites.value(v) for path, v in _sites.weights(self.model).items()}
      path = self._work.workdir.snapshot(self._work.piece.seed, step)
      bird_snapshot.save(path, weights, masks, settled)
    if not s.search_is_dense and self._is_over(step):
      self.model.stop_training = True

  def _is_over(self, step):
    """Whether every ticket is drawn, or can't be any more, and all snapshots asked for are there."""
    found = all(epoch is not None for epoch in self._bird.drawn.values())
    return (found or step >= self._limit) and step >= max(self._asked, default=0)
