"""Fashion-MNIST with the shipped recipe: test accuracy and time of training.

``recipes/fashion_mnist.toml`` learns from 55,000 of the 60,000 training pictures; the epoch is
chosen on the other 5,000; the 10,000 test pictures are answered once, at the end. Peer: logistic
regression (scikit-learn, saga, 20 passes) on the pixels of all 60,000.

With --small the first 6,000 training pictures and two epochs, to see that it runs.
"""

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _shared import data_folder, run
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import saccade
from saccade.data.readers import find_parts, read_data
from saccade.values import Sample

RECIPE = Path(__file__).parent.parent / "recipes" / "fashion_mnist.toml"
SMALL_PICTURES, PASSES = 6_000, 20


def main(small: bool) -> dict[str, Any]:
    """Train, judge once on the test pictures, and do the same with the peer."""
    parts = find_parts(data_folder("fashion_mnist"))
    learn, test = read_data(parts["train"]), read_data(parts["test"])
    with tempfile.TemporaryDirectory() as temporary:
        data, settings = data_folder("fashion_mnist"), {}
        if small:
            learn = learn[:SMALL_PICTURES]
            data, settings = Path(temporary) / "small.npz", {"train.epochs": 2}
            write(data, learn)
        begun = time.perf_counter()
        trained = saccade.train(data, recipe=RECIPE, out=Path(temporary) / "run", settings=settings)
        minutes = (time.perf_counter() - begun) / 60
        scores = saccade.evaluate(trained.folder, parts["test"])
        best = trained.model.card["best_epoch"]
    held = trained.validation.accuracy
    peer = peer_accuracy(learn, test)
    print(f"held out {held}, epoch {best} kept; training took {minutes:.1f} min with its report")
    print(f"test accuracy {scores.accuracy}, logistic regression on pixels {peer:.3f}", flush=True)
    return {
        "accuracy": scores.accuracy.value,
        "interval": [scores.accuracy.low, scores.accuracy.high],
        "held_out": held.value,
        "best_epoch": best,
        "minutes": minutes,
        "peer_accuracy": peer,
    }


def write(file: Path, samples: list[Sample]) -> None:
    """Write samples as an archive."""
    labels = np.array([sample.label for sample in samples])
    np.savez(file, pictures=np.stack([sample.array for sample in samples]), labels=labels)


def peer_accuracy(learn: list[Sample], test: list[Sample]) -> float:
    """Test accuracy of a linear classifier on pixels in [0, 1]."""
    rows = [
        np.stack([s.array for s in part]).reshape(len(part), -1) / 255 for part in (learn, test)
    ]
    labels = [[sample.label for sample in part] for part in (learn, test)]
    peer = LogisticRegression(solver="saga", max_iter=PASSES, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the passes are a fixed number
        peer.fit(rows[0].astype(np.float32), labels[0])
    return float(peer.score(rows[1].astype(np.float32), labels[1]))


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
