"""BLEU: how near texts are to their references."""

import sacrebleu


def scores(texts, references, *, tokenize="13a"):
  """`exact_match` in [0, 1] and `bleu` in [0, 100] of texts, each beside its one reference.

  BLEU of whole texts by sacrebleu (Post 2018, arXiv:1804.08771) with its defaults, case included.

  >>> scores(["1 2 3 4 5", "5 6 7"], ["1 2 3 4 5", "5 6 8"], tokenize="none")["exact_match"]
  0.5
  """
  equal = [text == reference for text, reference in zip(texts, references, strict=True)]
  bleu = sacrebleu.corpus_bleu(texts, [list(references)], tokenize=tokenize, force=True)
  return {"exact_match": sum(equal) / len(equal), "bleu": min(bleu.score, 100.0)}
