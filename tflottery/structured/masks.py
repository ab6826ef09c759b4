"""Channel masks of a model: whether they fit it, and what they do to it."""

import numpy as np


def fate(flow, masks):
  """The `flow.Fate` of the channels under these masks.

  Args:
    flow: the `Flow` of a model.
    masks: dict from channel site to bool array [C], True stays.

  Raises:
    ValueError: the masks do not fit the model, mask what can't be removed, or would leave a layer
      without a channel.
  """
  masks = _fitting(flow, masks)
  found = flow.fate(masks)
  _refuse_what_stays(flow, masks, found)
  _refuse_empty(flow, found.removed)
  return found


def _fitting(flow, masks):
  """The masks as bool arrays; ValueError lists all that do not fit."""
  if not isinstance(masks, dict):
    raise ValueError(f"masks={masks!r}: give a dict from channel site to bool array.")
  problems, arrays = [], {}
  for path, mask in masks.items():
    arrays[path] = mask = np.asarray(mask)
    if path not in flow.sites:
      problems.append(f"{path}: no such channel site")
    elif mask.dtype != bool or mask.shape != flow.classes(path).shape:
      problems.append(
        f"{path}: {mask.dtype} array of shape {mask.shape} for bool {flow.classes(path).shape}"
      )
  if problems:
    known = ", ".join(f"{path} ({len(flow.classes(path))})" for path in flow.sites)
    raise ValueError(f"The masks do not fit: {'; '.join(problems)}. Channel sites are: {known}.")
  return arrays


def _refuse_what_stays(flow, masks, fate):
  """ValueError for a masked channel whose class is fixed, or is kept by no live channel."""
  for path, mask in masks.items():
    for channel, one in enumerate(flow.classes(path)):
      if mask[channel] or fate.removed[one]:
        continue
      reason = flow.fixed.get(int(one))
      if reason is None and not fate.begun[one]:
        reason = _not_zero(flow, fate, one)
      if reason is not None:
        raise ValueError(
          f"channel {channel} of {path} is masked, but can't be removed: {reason}. Leave the site out "
          "of the masks (and of what is ranked, with only=); print(tfl.structured.groups(model)) shows "
          "channels that are fixed whatever the masks."
        )


def _not_zero(flow, fate, one):
  """The layer which makes of a dead channel something else than 0."""
  for rule in flow.rules:
    for number, labels in zip(rule.call.outputs, rule.writes, strict=True):
      if (fate.alive[number] & (flow.classes_of(labels) == one)).any():
        return f"{rule.call} makes of 0 something that is not 0"
  return None


def _refuse_empty(flow, removed):
  for rule in flow.rules:
    for labels in rule.writes:
      if len(labels) and removed[flow.classes_of(labels)].all():
        raise ValueError(
          f"the masks would leave {rule.call} without a channel. Keep at least one of its "
          f"{len(labels)}."
        )
