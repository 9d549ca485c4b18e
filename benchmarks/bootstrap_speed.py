"""Seconds for 10,000 resamples of every figure of a classifier: 10,000 pictures, 10 classes.

Peer: the same number of resamples of accuracy, macro F1 and AUC alone by scikit-learn, timed on few
and scaled. Run: python benchmarks/bootstrap_speed.py
"""

import time

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from saccade.judge.answers import Answers
from saccade.judge.class_figures import class_figures

PICTURES, CLASSES, RESAMPLES, BY_PEER = 10_000, 10, 10_000, 20


def main() -> None:
    rng = np.random.default_rng(0)
    truth, logits = rng.integers(0, CLASSES, PICTURES), rng.normal(size=(PICTURES, CLASSES))
    logits[np.arange(PICTURES), truth] += 2.0
    shares = np.exp(2 * logits)
    shares /= shares.sum(axis=1, keepdims=True)
    answers = Answers(truth, shares.argmax(axis=1), shares.max(axis=1), shares)
    names = [f"class {number}" for number in range(CLASSES)]
    seconds = []
    for turn in range(3):
        start = time.perf_counter()
        found = class_figures(
            answers, names, groups=None, seed=turn, resamples=RESAMPLES, level=0.95
        )
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(BY_PEER):
        drawn = rng.integers(0, PICTURES, PICTURES)
        accuracy_score(truth[drawn], answers.given[drawn])
        f1_score(truth[drawn], answers.given[drawn], average="macro")
        roc_auc_score(truth[drawn], shares[drawn], multi_class="ovr")
    peer = (time.perf_counter() - start) / BY_PEER * RESAMPLES
    own = float(np.median(seconds))
    print(f"accuracy {found.accuracy}  macro F1 {found.macro_f1}  AUC {found.macro_auc}")
    print(f"{RESAMPLES:,} resamples: {own:.1f} s, scikit-learn {peer:.0f} s, {peer / own:.0f} x")


if __name__ == "__main__":
    main()
