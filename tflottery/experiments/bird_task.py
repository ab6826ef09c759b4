"""The task of each piece of an Early-Bird experiment: what it starts from, and what came out.

You et al., Drawing Early-Bird Tickets, ICLR 2020, arXiv:1909.11957, section 4.
"""

import dataclasses
import functools
from typing import Any

from tflottery import site as _sites
from tflottery.callbacks import EarlyBird, Slimming
from tflottery.experiments import bird_snapshot, bird_summary, low_precision, task
from tflottery.experiments.bird_snapshots import Snapshots
from tflottery.seeds import seeds_of, set_seed
from tflottery.structured.channels import draw, scales, set_scales
from tflottery.structured.slim import slim


@dataclasses.dataclass(frozen=True)
class Task(task.Task):
  """The task of a piece.

  Attributes:
    piece: a `bird_pieces.Piece`; None before there is one.
    workdir: the `bird_pieces.Workdir`.
  """

  piece: Any = None
  workdir: Any = None

  @property
  def seeds(self):
    """Seeds of initialisation, order and masks."""
    return seeds_of(self.piece.seed)

  @property
  def begin(self):
    return self.piece.begin

  @property
  def drawing(self):
    """Keyword arguments of `draw`."""
    return {"scope": self.settings.scope, "grouped": self.settings.grouped}

  def network(self, width=1.0):
    is_search = self.piece is not None and self.piece.arm == "search"
    return self._network(self.settings.precision if is_search else "float32", width)

  def _network(self, precision, width=1.0):
    build = functools.partial(super().network, self.settings.width * width)
    return low_precision.build(build, precision, k=self.k)

  def start(self):
    """(compiled model, list of callbacks) at the beginning of the piece."""
    return _STARTS[self.piece.arm](self)

  def results(self, model, masks, rows, *, test_accuracy, best, schedule):
    """What came out of the piece, as JSON values."""
    del masks, schedule  # no weights are masked
    return bird_summary.summary(self, model, rows, test_accuracy=test_accuracy, best=best)

  def refuse(self, model):
    super().refuse(model)
    self._refuse_lengths()
    self._refuse_without_scales(model)
    with task.named(self.settings, "model", "precision"):
      self._network(self.settings.precision)
    model = self.uncompiled()
    for share in self.settings.shares:
      with task.named(self.settings, "model", "shares", "scope"):
        slim(model, draw(model, share, **self.drawing))

  def _refuse_without_scales(self, model):
    try:
      scales(model)
    except ValueError as error:
      raise ValueError(
        f"config.model={self.settings.model!r} has no batch normalisation with a scale, by which "
        "channels are ranked here. Choose resnet_20, vgg_16 or vgg_19, or give your own network "
        "BatchNormalization after its layers."
      ) from error

  def _refuse_lengths(self):
    s, examples = self.settings, len(self.data.train)
    if self.end % s.eval_every:
      raise ValueError(
        f"config.eval_every={s.eval_every} does not divide the {self.end} steps of "
        f"config.steps={s.steps!r}. Masks are drawn every eval_every steps: give a divisor."
      )
    if s.limit(examples) < s.eval_every:
      raise ValueError(
        f"config.eval_every={s.eval_every}, config.search_limit={s.search_limit!r}: no mask would be "
        "drawn before the end. Give fewer steps between draws, or a later limit."
      )
    for step in s.draw_steps(examples):
      if step % s.eval_every or not 0 < step < self.end:
        raise ValueError(
          f"config.draw_at={s.draw_at!r} has step {step}: give multiples of eval_every="
          f"{s.eval_every} after the beginning, where all scales are equal, and before the end, step "
          f"{self.end}."
        )

  def regulariser(self, strength):
    """List of the callback that draws scales to 0, or of none."""
    return [Slimming(strength)] if strength else []

  def fresh(self):
    """A compiled model whose scales are where slimming begins."""
    model = self.model(self.seeds["initialisation"])
    set_scales(model, self.settings.initial_scale)
    return model

  def slimmed(self):
    """The slimmed network with the weights of its draw, not compiled."""
    path = self.workdir.snapshot(self.piece.seed, self.piece.drawn)
    model, weights = self.uncompiled(), bird_snapshot.weights(path)
    for name, variable in _sites.weights(model).items():
      variable.assign(weights[name])
    return slim(model, bird_snapshot.masks(path, self.piece.share))


def _search(work):
  """Dense training with the regulariser, masks drawn at the end of every epoch of fit."""
  s, seed = work.settings, work.piece.seed
  bird = EarlyBird(
    share=s.shares,
    window=s.window,
    threshold=s.threshold,
    stop=False,
    directory=work.workdir.draws(seed),
    **work.drawing,
  )
  return work.fresh(), [*work.regulariser(s.slimming), bird, Snapshots(work, bird)]


def _dense(work):
  """As the search trains, but in full precision and without draws."""
  return work.fresh(), work.regulariser(work.settings.slimming)


def _plain_dense(work):
  """Dense training as without any search: scales begin at 1, nothing draws them to 0."""
  return work.model(work.seeds["initialisation"]), []


def _inherited(work):
  """The slimmed network from the weights and the step of its draw, with fresh momentum."""
  model = work.compiled(work.slimmed(), offset=work.begin)
  return model, work.regulariser(work.settings.retraining_slimming)


def _reinit(work):
  """The slimmed network with new weights, from the beginning."""
  small = work.slimmed()
  set_seed(work.seeds["initialisation"])
  with work.strategy.scope():
    model = work.k.models.clone_model(small)  # makes its layers anew, and so their weights
  set_scales(model, work.settings.initial_scale)
  return work.compiled(model), work.regulariser(work.settings.retraining_slimming)


# Functions of the task that return (compiled model, list of callbacks).
_STARTS = {
  "search": _search,
  "dense": _dense,
  "plain_dense": _plain_dense,
  "early_bird": _inherited,
  "drawn_at": _inherited,
  "reinit": _reinit,
}
