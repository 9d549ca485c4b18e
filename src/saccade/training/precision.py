"""Which number format the forward pass uses."""

import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from saccade.training.draws import own_draws

INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")
FORMATS = (torch.float32, torch.bfloat16)
ROUNDS = 3


def bfloat16_instructions() -> list[str]:
    """Return the processor's instruction sets that multiply bfloat16 in hardware."""
    capable = torch.cpu.get_capabilities()
    return [name for name in INSTRUCTIONS if capable.get(name)]


def choose_precision(name: str) -> torch.dtype:
    """Return the dtype for "float32", "bfloat16", or "auto", without measuring.

    Auto takes bfloat16 where the processor multiplies it in hardware (avx512_bf16, amx_bf16, Arm
    bf16); emulated, it is slower than float32.
    """
    if name == "auto":
        return torch.bfloat16 if bfloat16_instructions() else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def faster_precision(
    task: nn.Module,
    batch: Tensor,
    targets: Tensor,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> torch.dtype:
    """Return the faster of float32 and bfloat16 for steps with this batch; ``task`` is untouched.

    ``batch`` is (n, c, H, W) float in [0, 1]; it is brought to channels last, as in training. Both
    formats take turns, a first round is not counted, and the medians of ROUNDS rounds are compared.
    A tie goes to float32.
    """
    copied = copy.deepcopy(task).train()
    batch = batch.contiguous(memory_format=torch.channels_last)
    seconds: dict[torch.dtype, list[float]] = {dtype: [] for dtype in FORMATS}
    for _ in range(1 + ROUNDS):
        for dtype in FORMATS:
            copied.zero_grad(set_to_none=True)
            begun = clock()
            with (
                own_draws(0),
                torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32),
            ):
                loss = copied(batch, targets)
            loss.backward()
            seconds[dtype].append(clock() - begun)
    full, half = (statistics.median(seconds[dtype][1:]) for dtype in FORMATS)
    return torch.bfloat16 if half < full else torch.float32
