"""Backbones of timm (R. Wightman, PyTorch Image Models, doi:10.5281/zenodo.4414861), by its names.

timm is loaded on first use, because that takes seconds.
"""

import sys
from functools import partial
from typing import Any

from torch import nn

from saccade.errors import UnknownNameError
from saccade.names import suggest
from saccade.nn.foreign import ForeignBackbone, Remap


def timm_names() -> list[str]:
    """Return the names of all networks of the timm that is installed."""
    import timm

    return list(timm.list_models())


def timm_backbone(name: str, *, size_hw: tuple[int, int]) -> ForeignBackbone:
    """Return timm's network ``name`` with fresh weights and without its head.

    A network made for one size of picture is made for ``size_hw``, where it allows. Raises
    UnknownNameError, InputError for a size that it cannot take.
    """
    known = timm_settings(name)
    head = known.get("classifier") or ()
    sized = {"img_size": size_hw} if known.get("fixed_input_size") else {}
    return ForeignBackbone(
        partial(_make, name, sized),
        name=f"timm/{name}",
        size_hw=size_hw,
        head=(head,) if isinstance(head, str) else tuple(head),
        remap=_remap,
    )


def timm_settings(name: str) -> dict[str, Any]:
    """Return what timm knows of the weights of ``name``, as RESNET or RESNET.TAG; may be empty.

    Used here: hf_hub_id, license, input_size (c, H, W), mean, std, classifier, fixed_input_size.
    Raises UnknownNameError.
    """
    import timm

    if not timm.is_model(name):
        names = [f"timm/{known}" for known in timm_names()]
        raise UnknownNameError(
            f"there is no backbone 'timm/{name}'; {suggest(f'timm/{name}', names)}"
        )
    try:
        found = timm.get_pretrained_cfg(name)
    except RuntimeError as error:  # The part behind the dot names no weights.
        names = [f"timm/{known}" for known in timm.list_pretrained(f"{name.split('.')[0]}.*")]
        raise UnknownNameError(
            f"there are no weights 'timm/{name}'; {suggest(f'timm/{name}', names)}"
        ) from error
    return {} if found is None else dict(vars(found))


def _make(name: str, sized: dict[str, Any]) -> nn.Module:
    import timm

    try:
        made: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **sized)
    except TypeError:  # A few networks of a fixed size cannot be told another.
        made = timm.create_model(name, pretrained=False, num_classes=0)
    return made


def _remap(body: nn.Module) -> Remap | None:
    """timm's own function for weights stored in another form, or learned at another size."""
    found: Remap | None = getattr(sys.modules[type(body).__module__], "checkpoint_filter_fn", None)
    return found
