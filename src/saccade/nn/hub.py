"""Published weights of timm's networks, from the hub or from what was fetched of it before.

Only safetensors files are asked for, and only when a recipe says "hub". What is in the hub's cache
folder is taken without asking anybody.
"""

from pathlib import Path

from saccade.errors import InputError
from saccade.nn.timm_backbone import timm_settings
from saccade.nn.weights_card import UNKNOWN, WeightsCard

FILE = "model.safetensors"
WAIT_S = 10


def published_card(name: str) -> WeightsCard:
    """Return what timm says of the weights that it names ``name``; InputError as for ``fetch``."""
    known = timm_settings(name)
    height_width = known["input_size"][1:] if known.get("input_size") else None
    return WeightsCard(
        mean=tuple(known["mean"]) if known else WeightsCard.mean,
        std=tuple(known["std"]) if known else WeightsCard.std,
        size_hw=height_width and (int(height_width[0]), int(height_width[1])),
        licence=known.get("license") or UNKNOWN,
        source=known.get("hf_hub_id") or UNKNOWN,
        assumed=not known,
    )


def fetch(name: str) -> Path:
    """Return the safetensors file of timm's weights ``name``, fetched if it is not in the cache.

    Raises UnknownNameError, and InputError when there are none, none as safetensors, or the hub
    cannot be reached.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    repository = timm_settings(name).get("hf_hub_id")
    if not repository:
        raise InputError(
            f"timm/{name} has no published weights on the hub; leave out --model.weights, or name "
            "a .safetensors file"
        )
    constants.HF_HUB_DISABLE_TELEMETRY = True  # It would tell of this machine beside asking.
    try:
        return Path(hf_hub_download(repository, FILE, local_files_only=True, token=False))
    except EntryNotFoundError:
        pass  # It is not in the cache.
    url = hf_hub_url(repository, FILE)
    try:
        # One question first: hf_hub_download would go on asking for a minute.
        get_hf_file_metadata(url, token=False, timeout=WAIT_S)
        return Path(hf_hub_download(repository, FILE, token=False, etag_timeout=WAIT_S))
    except EntryNotFoundError as error:
        raise InputError(
            f"the weights of timm/{name} are not published as safetensors, and other files can "
            "run code when opened; take another backbone, or a .safetensors file"
        ) from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"the hub does not give out {repository} without an account; fetch {FILE} by hand and "
            "name its path with --model.weights"
        ) from error
    except Exception as error:  # Many kinds, by the way that the network fails.
        raise InputError(
            f"the hub cannot be reached for {url} ({_reason(error)}); fetch that file on a "
            "machine that can, and name its path with --model.weights"
        ) from error


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:150]
