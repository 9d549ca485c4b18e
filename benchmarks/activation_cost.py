"""What each activation costs beside relu: forward and backward on (256, 64, 28, 28) float32.

relu and the other take turns, either first in every second one, so that noise meets both alike; a
figure is the median over the turns of their ratio, and relu's own shows the noise that is left. The
package reads the figures:
``python benchmarks/activation_cost.py --json src/saccade/nn/activation_costs.json``.
"""

import statistics
import time
from typing import Any

import torch
from _shared import run
from torch import Tensor, nn

from saccade.nn import ACTIVATIONS

SHAPE, SMALL_SHAPE = (256, 64, 28, 28), (16, 64, 28, 28)
TURNS, SMALL_TURNS = 20, 4


def main(small: bool) -> dict[str, Any]:
    """Time each activation against relu; print a line for each and return the ratios."""
    turns, shape = (SMALL_TURNS, SMALL_SHAPE) if small else (TURNS, SHAPE)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight = torch.ones(shape)
    relu = ACTIVATIONS["relu"].make()
    print(f"{shape} float32, {torch.get_num_threads()} threads, {turns} turns")
    figures = {}
    for name, row in ACTIVATIONS.items():
        module = row.make()
        ratios = []
        for turn in range(1 + turns):
            first, second = (relu, module) if turn % 2 else (module, relu)
            early, late = seconds(first, values, weight), seconds(second, values, weight)
            ratios.append(late / early if turn % 2 else early / late)
        figures[name] = round(statistics.median(ratios[1:]), 2)
        print(f"  {name:<14} {figures[name]:.2f}", flush=True)
    threads = torch.get_num_threads()
    return {"cost": figures, "shape": shape, "turns": turns, "threads": threads}


def seconds(module: nn.Module, values: Tensor, weight: Tensor) -> float:
    """The time of one pass forward and backward."""
    values.grad = None
    begun = time.perf_counter()
    module(values).backward(weight)
    return time.perf_counter() - begun


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
