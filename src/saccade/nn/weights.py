"""Weights of others: read from safetensors, checked, and put into a backbone, strictly."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.nn.foreign import ForeignBackbone

ENDING = ".safetensors"
COUNTER = "num_batches_tracked"  # Of batch normalisation; PyTorch too lets files be without.


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name; floating ones as float32.

    Raises InputError for a missing file, one of another format, and a value that is not finite.
    """
    if not file.is_file():
        raise InputError(
            f"weights {file} do not exist; name a {ENDING} file, a finished run, or hub"
        )
    if file.suffix != ENDING:
        raise InputError(
            f"weights {file} are not a {ENDING} file; others can run code when opened, so they "
            "are not read. Convert them, or take weights that come as safetensors"
        )
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"weights {file} cannot be read as safetensors; fetch or convert them again"
        ) from error
    found = {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}
    for key, tensor in found.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"weights {file} hold a NaN or infinity in '{key}'; take others")
    return found


def load_foreign(backbone: ForeignBackbone, tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Put weights, named as their library names them, into ``backbone``.

    The weights of its head may be there or not. Raises InputError, naming ``where`` and the first
    tensor, when another is missing, left over or of another shape.
    """
    fitting = _headless(tensors, backbone.head)
    problem = _mismatch(backbone.body, fitting)
    if problem and backbone.remap is not None:
        try:
            remapped = _headless(backbone.remap(dict(tensors), backbone.body), backbone.head)
        except Exception:  # It met weights that are not of this network; the problem stands.
            remapped = fitting
        if not _mismatch(backbone.body, remapped):
            fitting, problem = remapped, ""
    remedy = f"name with model.backbone the network that they are of; it is {backbone.name} now"
    _load(backbone.body, fitting, problem, where=where, remedy=remedy)


def load_own(backbone: nn.Module, tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Put the weights of an earlier run's backbone into ``backbone``, of the same name.

    Raises InputError, naming ``where`` and the first tensor, when they do not fit.
    """
    remedy = "use that run's model.width and data.colour"
    _load(backbone, tensors, _mismatch(backbone, tensors), where=where, remedy=remedy)


def _load(
    module: nn.Module, tensors: Mapping[str, Tensor], problem: str, *, where: str, remedy: str
) -> None:
    if problem:
        raise InputError(f"weights {where} do not fit the backbone: {problem}; {remedy}")
    module.load_state_dict(tensors)


def _headless(tensors: Mapping[str, Tensor], head: tuple[str, ...]) -> dict[str, Tensor]:
    prefixes = tuple(f"{name}." for name in head)
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(prefixes)}


def _mismatch(module: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """The first thing that does not fit, in words; empty when all does."""
    needed = module.state_dict()
    for key, tensor in needed.items():
        if key not in tensors and not key.endswith(COUNTER):
            return f"'{key}' is missing"
        if key in tensors and tensors[key].shape != tensor.shape:
            return f"'{key}' is {_sides(tensors[key])}, and should be {_sides(tensor)}"
    return next((f"'{key}' has no place in it" for key in tensors if key not in needed), "")


def _sides(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
