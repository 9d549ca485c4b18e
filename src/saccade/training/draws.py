"""Chance inside a network, as dropout has it, from numbers of its own.

So a run does not disturb the draws of the program around it, and a resumed one drops the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_draws(*numbers: int) -> Iterator[None]:
    """Seed the processor's draws with ``numbers``; afterwards they go on as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(hash(numbers) % 2**63)
        yield
