"""One of two workers of a `MultiWorkerMirroredStrategy`: trains every algorithm named, saves the end.

python worker.py DIR ALGORITHM... ; TF_CONFIG says which worker it is.
"""

import json
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf
import tf_keras
from algorithms import ALGORITHMS, EPOCHS
from builders import Watch, batches, mlp


def main(directory, *names):
  index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
  strategy = tf.distribute.MultiWorkerMirroredStrategy()
  for name in names:

    def build():
      with strategy.scope():
        return mlp(tf_keras, tf_keras.optimizers.Adam(0.005))

    model, watch = build(), Watch()
    callbacks = [ALGORITHMS[name].callback(build, 0), watch]
    model.fit(batches(), epochs=EPOCHS, verbose=0, callbacks=callbacks)
    arrays = {f"mask/{path}": mask for path, mask in watch.masks.items()}
    arrays |= {f"weight/{i}": weight for i, weight in enumerate(model.get_weights())}
    np.savez(pathlib.Path(directory) / f"{name}-{index}.npz", **arrays)


if __name__ == "__main__":
  main(*sys.argv[1:])
