"""Subwords: a vocabulary of pieces of words, learnt from texts and kept in a file."""

import contextlib
import io
import itertools
import pathlib

import sentencepiece

from tflottery import files
from tflottery.experiments import tokens

_SENTENCES = 2_000_000  # enough to learn the pieces of; more take memory
_UNKNOWN = tokens.FIRST


def load(path, size, sentences):
  """The vocabulary in a file, which is learnt and written where there is none.

  Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) by SentencePiece (arXiv:1808.06226) of the
  texts as they are; characters without a piece become pieces of their bytes. Padding, start and end are
  those of `tokens`.

  Args:
    path: the file; where its directory can't be written, the vocabulary stays in memory.
    size: pieces, at most; few texts have fewer.
    sentences: iterable of texts, of which the first 2,000,000 count.

  Returns:
    A `sentencepiece.SentencePieceProcessor`.
  """
  path = pathlib.Path(path)
  if path.exists():
    return sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
  learnt = _learnt(size, itertools.islice(sentences, _SENTENCES))
  with contextlib.suppress(OSError):
    files.write(path, learnt)
  return sentencepiece.SentencePieceProcessor(model_proto=learnt)


def _learnt(size, sentences):
  model = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(sentences),
    model_writer=model,
    model_type="bpe",
    vocab_size=size,
    byte_fallback=True,
    hard_vocab_limit=False,
    normalization_rule_name="identity",
    pad_id=tokens.PADDING,
    bos_id=tokens.START,
    eos_id=tokens.END,
    unk_id=_UNKNOWN,
    minloglevel=2,
  )
  return model.getvalue()
