"""Which number format the forward pass uses."""

import torch


def choose_precision(name: str) -> torch.dtype:
    """Return the dtype for "float32", "bfloat16", or "auto".

    Auto takes bfloat16 where the processor multiplies it in hardware (avx512_bf16, amx_bf16, Arm
    bf16); emulated, it is slower than float32.
    """
    if name == "auto":
        capable = torch.cpu.get_capabilities()
        names = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")
        return torch.bfloat16 if any(capable.get(key) for key in names) else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32
