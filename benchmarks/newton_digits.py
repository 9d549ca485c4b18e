"""Softmax regression on handwritten digits by Newton-CG and L-BFGS: steps, work, gradient norms.

scikit-learn's 1,797 digits of 8x8 pixels, divided by 16; cross-entropy with a weight decay of
1e-3, in float64, from the first weights of seed 0. Counted are evaluations of the loss: one for
each value, gradient or product with the Hessian. Peer: scikit-learn's LogisticRegression (lbfgs) on
the same loss, and how far its probabilities are from ours.

With --small Newton only.
"""

import time
import warnings
from typing import Any

import numpy as np
import torch
from _shared import run
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from saccade.optim import make_optimiser

DECAY = 1e-3
STEPS = {"newton": 20, "lbfgs": 300}
GOALS = {"newton": 1e-8, "lbfgs": 1e-6}  # of the gradient's norm


def main(small: bool) -> dict[str, Any]:
    """Solve by each optimiser; print its steps and return the figures."""
    pixels, targets = load_digits(return_X_y=True)
    pixels = pixels / 16
    shares, peer_s = peer(pixels, targets)
    print(f"scikit-learn lbfgs, tol 1e-8: {peer_s:.2f} s")
    figures: dict[str, Any] = {"peer_s": peer_s}
    for name in ("newton",) if small else STEPS:
        found = solve(name, torch.from_numpy(pixels), torch.from_numpy(targets))
        apart = float(np.abs(found.pop("shares") - shares).max())
        figures[name] = {**found, "largest_difference_of_probabilities": apart}
        print(
            f"{name}: {len(found['norms']) - 1} steps, {found['evaluations']} evaluations, "
            f"gradient norm {found['norms'][-1]:.1e}, {found['seconds']:.2f} s, "
            f"probabilities within {apart:.1e} of scikit-learn's",
            flush=True,
        )
    return figures


def peer(pixels: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, float]:
    """Probabilities (n, 10) by scikit-learn at the same optimum, and its seconds."""
    model = LogisticRegression(C=1 / (DECAY * len(targets)), tol=1e-8, max_iter=5000)
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It says where rounding ends its search.
        model.fit(pixels, targets)
    return model.predict_proba(pixels), time.perf_counter() - begun


def solve(name: str, pixels: Tensor, targets: Tensor) -> dict[str, Any]:
    """Descend until the goal or the last step; gradient norms before each step, and after all."""
    torch.manual_seed(0)
    model = nn.Linear(64, 10, dtype=torch.float64)
    optimiser = make_optimiser([model], name=name, lr=1.0, weight_decay=DECAY)
    calls = {"all": 0}

    def parts() -> list[Tensor]:
        calls["all"] += 1
        return [cross_entropy(model(pixels), targets)]

    norms: list[float] = []
    begun = time.perf_counter()
    while len(norms) <= STEPS[name] and (not norms or norms[-1] > GOALS[name]):
        loss, norm = optimiser.descend(parts)
        norms.append(norm)
        print(f"{name} step {len(norms) - 1}: loss {loss:.10f}, gradient norm {norm:.2e}")
    seconds = time.perf_counter() - begun
    shares = model(pixels).softmax(1).detach().numpy()
    return {"norms": norms, "evaluations": calls["all"], "seconds": seconds, "shares": shares}


if __name__ == "__main__":
    run(main, __doc__ or "")
