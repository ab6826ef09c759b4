"""Early-Bird tickets: channel masks are drawn while the network trains, until they settle.

You et al., Drawing Early-Bird Tickets, ICLR 2020, arXiv:1909.11957, algorithm 1.
"""

import pathlib
import warnings

import numpy as np
import tf_keras

from tflottery import arguments
from tflottery import site as _sites
from tflottery.structured.channels import Ranking
from tflottery.structured.settling import Record


class EarlyBird(tf_keras.callbacks.Callback):
  """Draws channel masks while `fit` runs, and stops it when they no longer change.

  A mask keeps the channels with the highest absolute batch-normalisation scales. One is drawn before
  the first epoch and after every epoch: draw e is that of the start of epoch e, counted from 0. The
  ticket is drawn when the newest mask differs from each of the `window - 1` before it by at most
  `threshold`, in normalised Hamming distance; masks are alike early only where `Slimming` draws the
  scales to 0. Then `tflottery.structured.slim(model, bird.masks[0.5])` is the small network, which
  inherits the weights and is trained on.

  Where all scales are equal, as before the first step, they rank nothing: such a draw is recorded as
  a mask of all False, as the authors' code has it, and never enters the window. So the first ticket
  can be drawn at draw `window`.

  Works in the `fit` of Keras 3 and of tf_keras. The logs of every epoch get `mask_distance`, that of
  the newest mask to the one in the window that differs most (NaN where there is none), or for several
  shares `mask_distance/<share>`. A second `fit` from epoch 0 starts over.

  Args:
    share: the share of the channels to drop, in (0, 1), or several: the ticket of each is drawn by
      itself, and training stops after the last.
    window: how many masks must be alike, at least 2.
    threshold: the highest distance at which masks are alike, in [0, 1).
    every: None draws at every epoch, a number at so many steps; draws are then counted in steps. With
      `steps_per_execution` a draw comes after the execution in which it was due.
    stop: whether training stops when all tickets are drawn; False goes on, and goes on drawing.
    scope, grouped, only: as in `tflottery.structured.draw`.
    directory: where `mask_distances.npy` and `mask_draws.npz` are written at every draw, from which a
      fit with `initial_epoch` goes on, and at the end a heat map for each share. None writes nothing.
    verbose: 1 prints a line when a ticket is drawn.

  Attributes:
    masks: dict from share to the ticket's channel masks, for the shares whose ticket is drawn.
    weights: dict from share to all weights of the network at that draw, dict from path to array;
      a process that goes on after the draw has none.

  Raises:
    ValueError: an argument is out of range; when `fit` starts, if the model has no batch
      normalisation, so few channels would be kept that a layer would lose its last, or `slim` could
      not remove the others. When it ends without a ticket that it was to stop at, it warns.

  Departs: the mask after an epoch is that of the start of the next one; `grouped`, and exact counts,
  as `tflottery.structured.draw` says.

  >>> import keras
  >>> keras.utils.set_random_seed(0)
  >>> layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
  >>> model = keras.Sequential([keras.Input((2,)), *layers])
  >>> model.compile("sgd", "mse")
  >>> bird = EarlyBird(share=0.5, window=3)
  >>> x = np.random.default_rng(0).normal(size=(64, 2))
  >>> history = model.fit(x, x.sum(1), epochs=9, verbose=0, callbacks=[bird])
  >>> bird.drawn
  {0.5: 3}
  """

  def __init__(
    self,
    share=0.5,
    window=5,
    threshold=0.1,
    *,
    every=None,
    stop=True,
    scope="global",
    grouped=True,
    only=None,
    directory=None,
    verbose=0,
  ):
    super().__init__()
    shares = share if isinstance(share, (tuple, list)) else (share,)
    self.shares = tuple(arguments.share("share", value) for value in shares)
    if not shares or len(set(shares)) != len(shares):
      raise ValueError(f"share={share!r} must name at least one share, each once.")
    self.window = arguments.whole("window", window, least=2)
    self.threshold = arguments.share("threshold", threshold, zero=True)
    self.every = every if every is None else arguments.whole("every", every, least=1)
    self.stop, self.verbose = stop, verbose
    self._how = {"scope": scope, "grouped": grouped, "only": only}
    self._directory = None if directory is None else pathlib.Path(directory)
    self._ranking = self._record = None
    self._began = False  # between the first epoch's beginning and the training's end
    self._epoch_start = self._steps = 0
    self._start_over()

  @property
  def labels(self):
    """The epoch, or the step, of every draw."""
    return list(self._record.labels)

  @property
  def drawn(self):
    """Dict from share to the label of the draw at which its ticket was found, None before."""
    return dict(self._record.drawn)

  @property
  def distances(self):
    """The normalised Hamming distances between all draws, float32 [shares, draws, draws]."""
    return self._record.distances

  def set_model(self, model):
    super().set_model(model)
    self._began = False
    self._ranking = Ranking(model, **self._how)
    for share in self.shares:
      self._ranking.check(share)

  def on_epoch_begin(self, epoch, logs=None):
    if not self._began:
      self._begin(epoch)
    self._began = True

  def on_train_batch_end(self, batch, logs=None):
    before, self._steps = self._steps, self._epoch_start + batch + 1
    if self.every and self._steps // self.every > before // self.every:
      self._draw(self._steps)

  def on_epoch_end(self, epoch, logs=None):
    self._epoch_start = self._steps
    if not self.every:
      self._draw(epoch + 1)
    if logs is not None:
      one = len(self.shares) == 1
      for share in self.shares:
        logs["mask_distance" if one else f"mask_distance/{share:g}"] = self._record.farthest(share)

  def on_train_end(self, logs=None):
    self._began = False
    missing = [share for share, label in self.drawn.items() if label is None]
    if missing and self.stop:
      warnings.warn(
        f"No Early-Bird ticket was drawn at share {', '.join(map(str, missing))}: the newest mask never "
        f"lay within {self.threshold} of the {self.window - 1} before it. Train longer, draw the scales "
        "to 0 with Slimming, or give a higher threshold.",
        stacklevel=2,
      )
    if self._directory is not None and self.labels:
      self._record.write_figures(self._directory, unit="Step" if self.every else "Epoch")

  def _start_over(self):
    self._record = Record(self.shares, self.window, self.threshold)
    self.masks, self.weights = {}, {}

  def _begin(self, epoch):
    """Start over, or go on from the draws up to this epoch."""
    if epoch == 0:
      self._epoch_start = 0
      self._start_over()
    elif self.params.get("steps") is not None:
      self._epoch_start = epoch * self.params["steps"]
    self._steps = self._epoch_start
    label = self._steps if self.every else epoch
    if epoch:
      if self._directory is not None:
        self._record.read(self._directory, size=self._ranking.size)
      settled = self._record.keep(until=label)
      self.masks = {share: self._ranking.split(mask) for share, mask in settled.items()}
      self.weights = {share: own for share, own in self.weights.items() if share in settled}
    is_due = not self.every or label % self.every == 0
    if not self.labels or (is_due and label not in self.labels):
      self._draw(label)

  def _draw(self, label):
    masks = {share: self._ranking.draw(share) for share in self.shares}
    flat = {share: np.concatenate(list(own.values())) for share, own in masks.items()}
    for share in self._record.add(label, flat, counted=not self._ranking.is_flat()):
      self.masks[share] = masks[share]
      variables = _sites.weights(self.model)
      self.weights[share] = {path: _sites.value(v) for path, v in variables.items()}
      if self.verbose:
        unit = "step" if self.every else "epoch"
        print(f"Early-Bird ticket of share {share:g} drawn at the start of {unit} {label}.")
    if self._directory is not None:
      self._record.write(self._directory)
    if self.stop and self._record.is_complete:
      self.model.stop_training = True
