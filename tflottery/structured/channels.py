"""Channels: which can go, how they score, and masks that keep the best of them."""

import keras
import numpy as np
import tf_keras

from tflottery import arguments
from tflottery import masks as _masks
from tflottery import site as _sites
from tflottery.structured.groups import groups

SCORES = ("scale", "norm")
SCOPES = ("global", "layer")
_NORMALISATIONS = (keras.layers.BatchNormalization, tf_keras.layers.BatchNormalization)
_CONVOLUTIONS = tuple(
  getattr(k.layers, f"{kind}{n}D{transposed}")
  for k in (keras, tf_keras)
  for kind, transposed in (("Conv", ""), ("Conv", "Transpose"), ("SeparableConv", ""))
  for n in (1, 2, 3)
  if hasattr(k.layers, f"{kind}{n}D{transposed}")
)


def draw(model, share, *, scores="scale", scope="global", grouped=True, only=None, least=1):
  """Channel masks that drop the `share` of the channels with the lowest scores.

  Kept counts are exact, `max(1, round((1 - share) * n))` of each ranking; ties go to the channel
  that comes first. What follows the mask to become a smaller network is `tflottery.structured.slim`.

  Sources: Liu et al. 2017, Network Slimming, arXiv:1708.06519, and You et al. 2020, Early-Bird
  tickets, arXiv:1909.11957, for scores="scale" over the whole network; Li et al. 2017, Pruning
  Filters, arXiv:1608.08710, for scores="norm", per layer.

  Departs: the authors drop what is not above a threshold, which is one channel more, and all that
  tie with it. And they rank each scale by itself; `grouped=False` does.

  Args:
    model: a built model of either Keras.
    share: the share of the channels to drop, in (0, 1); with scope="layer" also a dict from pattern
      (searched in the paths of the sites) to the share of the layers that it matches, [0, 1). The
      others then stay whole.
    scores: "scale", the absolute scale of the batch normalisation after a layer; or "norm", the L1
      norm of each filter of a convolution.
    scope: "global" ranks the channels of the whole network together, "layer" those of each layer.
    grouped: whether channels that must go together (see `tflottery.structured.groups`) are one
      candidate, with the mean of their scores, and channels that can't go are none; False ranks each
      by itself, and needs no graph.
    only: regular expression, or several, searched in paths: the sites that are ranked. Kernels of
      Dense layers can be named here, for scores="norm". None means all scales, or all convolutions.
    least: how many channels of each layer are kept, whatever their scores: at least 1 for `slim`, 0
      lets a layer lose all.

  Returns:
    A dict from site path (`bn1/gamma` or `conv1/kernel`) to a bool array, a channel each.

  Raises:
    ValueError: an argument is out of range, the model has no such sites, so few channels would be
      kept that a layer would lose its last, or (grouped) `slim` could not remove what is left out.

  >>> import keras
  >>> layers = [keras.layers.Dense(4, name="fc"), keras.layers.BatchNormalization(name="bn")]
  >>> model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(2)])
  >>> _ = layers[1].gamma.assign([0.1, -0.9, 0.5, 0.2])
  >>> draw(model, 0.5)["bn/gamma"].tolist()
  [False, True, True, False]
  """
  ranking = Ranking(model, scores=scores, scope=scope, grouped=grouped, only=only, least=least)
  return ranking.check(share)


class Ranking:
  """What `draw` ranks, found once for a model whose scores change; its arguments are those of `draw`.

  Attributes:
    size: the number of channels of all sites together.
  """

  def __init__(self, model, *, scores="scale", scope="global", grouped=True, only=None, least=1):
    for name, value, known in (("scores", scores, SCORES), ("scope", scope, SCOPES)):
      if value not in known:
        raise ValueError(f"{name}={value!r} is unknown. Choose one of {', '.join(known)}.")
    self._least = arguments.whole("least", least, least=0)
    self._scope, self._scores, self._groups = scope, _SCORES[scores], None
    self._sites = SITES[scores](model, only=only)
    lengths = {path: len(own) for path, own in self.scores().items()}
    self.size = sum(lengths.values())
    stops = np.cumsum(list(lengths.values()))
    self._slices = {
      path: slice(stop - n, stop) for (path, n), stop in zip(lengths.items(), stops, strict=True)
    }
    self._candidate = self._candidates(model, grouped)
    self._layers = self._rankings()

  def scores(self):
    """Dict from site path to a float32 score for each channel, at the model's present weights."""
    return {path: self._scores(variable) for path, variable in self._sites.items()}

  def is_flat(self):
    """Whether all scores are equal, so that they rank nothing: as scales are before any training."""
    scores = np.concatenate(list(self.scores().values()))
    return bool((scores == scores[0]).all())

  def check(self, share):
    """The masks of `draw`, after a look at whether `slim` can remove what they leave out."""
    masks = self.draw(share)
    if self._groups is not None and self._least:
      self._groups.check(masks)
    return masks

  def draw(self, share):
    """Masks at the model's present weights."""
    free = self._candidate >= 0
    scores = np.concatenate(list(self.scores().values()), dtype=np.float64)
    values = np.bincount(self._candidate[free], scores[free]) / np.bincount(self._candidate[free])
    values[self._protected(values)] = np.inf
    kept = np.zeros(len(values), bool)
    shares = self._shares(share)
    for paths, own in self._layers.items():
      count = _masks.kept_count(len(own), shares[paths])
      if np.isinf(values[own]).sum() > count:
        raise ValueError(
          f"share={share!r} keeps {count} of {len(own)} channels in {_names(paths)}, where each layer "
          f"keeps at least {self._least}. Give a lower share."
        )
      kept[own[np.argsort(-values[own], kind="stable")[:count]]] = True
    return self.split(np.where(free, kept[self._candidate], True))

  def split(self, flat):
    """The masks of the sites, dict from path to array, from those of all channels in one array."""
    return {path: flat[own] for path, own in self._slices.items()}

  def _candidates(self, model, grouped):
    """For each channel the number of its candidate, by first occurrence; -1 where it must stay."""
    if not grouped:
      return np.arange(self.size)
    try:
      self._groups = found = groups(model)
    except ValueError as error:
      raise ValueError(f"{error} Or give grouped=False, which needs no graph.") from error
    classes = np.concatenate([found.classes(path) for path in self._sites])
    stays = np.isin(classes, list(found.fixed))
    if stays.all():
      reasons = sorted({found.fixed[c] for c in classes.tolist()})
      raise ValueError(f"No channel of model {model.name!r} can go: {'; '.join(reasons)}.")
    _, first, inverse = np.unique(classes[~stays], return_index=True, return_inverse=True)
    candidate = np.full(self.size, -1)
    candidate[~stays] = np.argsort(np.argsort(first))[inverse]
    return candidate

  def _rankings(self):
    """Dict from the paths of the sites that are ranked together to the numbers of the candidates."""
    paths = [set() for _ in range(self._candidate.max() + 1)]
    for path, own in self._slices.items():
      for candidate in self._candidate[own]:
        if candidate >= 0:
          paths[candidate].add(path)
    if self._scope == "global":
      return {tuple(self._slices): np.arange(len(paths))}
    found = {}
    for candidate, own in enumerate(paths):
      found.setdefault(tuple(path for path in self._slices if path in own), []).append(candidate)
    return {key: np.array(own) for key, own in found.items()}

  def _protected(self, values):
    """The candidates without which a layer would have fewer channels than it must keep."""
    best = []
    for own in self._slices.values():
      candidates = self._candidate[own]
      staying = int((candidates < 0).sum())
      candidates = np.unique(candidates[candidates >= 0])
      order = np.argsort(-values[candidates], kind="stable")
      best.extend(candidates[order[: max(0, self._least - staying)]])
    return np.array(best, int)

  def _shares(self, share):
    """The share to drop of each ranking."""
    if not isinstance(share, dict):
      return dict.fromkeys(self._layers, arguments.share("share", share))
    if self._scope != "layer":
      raise ValueError(f"share={share!r} goes by layer. Give scope='layer', or one number.")
    found = dict.fromkeys(self._layers, 0.0)
    for pattern, value in share.items():
      arguments.share(f"share[{pattern!r}]", value, zero=True)
      matched = _sites.matching(pattern, self._slices, argument="share")
      found |= {paths: value for paths in self._layers if matched & set(paths)}
    return found


def scales(model, *, only=None):
  """The scales of batch normalisation: dict from path to variable, [channels], in the model's order.

  Raises:
    ValueError: there are none, or none that `only` matches.
  """
  names = {id(variable): path for path, variable in _sites.weights(model).items()}
  found = {
    names[id(layer.gamma)]: layer.gamma
    for _, layer, _ in _sites.layers(model)
    if isinstance(layer, _NORMALISATIONS) and layer.scale
  }
  if not found:
    raise ValueError(
      f"model {model.name!r} has no batch normalisation with a scale, which is what scores its "
      "channels. Put BatchNormalization after its layers, or rank filters: "
      "tfl.structured.draw(model, share, scores='norm')."
    )
  return _only(found, only)


def filters(model, *, only=None):
  """The kernels of convolutions, or those that `only` matches: dict from path to `Site`.

  Raises:
    ValueError: there are none, or none that `only` matches.
  """
  found = {}
  for path, site in _sites.candidates(model).items():
    whole = path.endswith(("/kernel", "/pointwise_kernel"))
    whole &= "Depthwise" not in type(site.layer).__name__  # its channels are those before it
    if whole and (only is not None or isinstance(site.layer, _CONVOLUTIONS)):
      found[path] = site
  if not found:
    raise ValueError(
      f"model {model.name!r} has no convolution. Name the kernels to rank with only=."
    )
  return _only(found, only)


def set_scales(model, value=0.5):
  """Set the scales of all batch normalisation to `value`, where Network Slimming begins.

  >>> import keras
  >>> layer = keras.layers.BatchNormalization()
  >>> set_scales(keras.Sequential([keras.Input((2,)), layer]))
  >>> layer.gamma.numpy().tolist()
  [0.5, 0.5]
  """
  for variable in scales(model).values():
    variable.assign(np.full(variable.shape, value, np.float32))


def _absolute(variable):
  return np.abs(_sites.value(variable), dtype=np.float32)


def _l1_norm(site):
  """The sum of the absolute weights of each output channel."""
  weights = np.abs(_sites.value(site.variable), dtype=np.float32)
  transposed = type(site.layer).__name__.endswith("Transpose")  # [..., out, in]
  weights = np.swapaxes(weights, -1, -2) if transposed else weights
  return weights.sum(axis=tuple(range(weights.ndim - 1)))


def _only(found, only):
  if only is None:
    return found
  matched = _sites.matching(only, found, argument="only")
  return {path: own for path, own in found.items() if path in matched}


def _names(paths):
  return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


SITES = {"scale": scales, "norm": filters}
_SCORES = {"scale": _absolute, "norm": _l1_norm}
