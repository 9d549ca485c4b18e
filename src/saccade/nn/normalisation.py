"""Normalisations by name: of inputs, between layers, and as a network's first layer.

Those of inputs are built with no argument but their settings, then fitted. Those of layers are
built with ``channels`` and called with maps (n, channels, H, W) or, but for local_response and
instance, vectors (n, channels); the shape is kept.
"""

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.names import look_up
from saccade.nn.input_normalisation import minmax, pca_whitening, standardise, zca_whitening
from saccade.nn.whitening import PatchWhitening
from saccade.shelf import Entry

NONE = "none"
MAPS_ONLY = ("instance", "local_response")
INSTEAD = "take group or layer normalisation, which see each picture alone"


class BatchNorm(nn.BatchNorm2d):
    """torch's, of maps or vectors; refuses to learn from one value a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def _check_input_dim(self, input: Tensor) -> None:
        values = input.numel() // self.num_features
        if self.training and values < 2:
            raise InputError(
                f"batch normalisation needs at least 2 values a channel to learn from, and got "
                f"{values}: of one alone the variance is 0; take larger batches, or {INSTEAD}"
            )
        if input.ndim not in (2, 4):
            raise InputError(
                f"batch normalisation takes (n, channels) or (n, channels, H, W). Got "
                f"{tuple(input.shape)} instead"
            )


class InstanceNorm(nn.InstanceNorm2d):
    """torch's, with a learned scale and shift; refuses maps of one place."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim != 4 or input.shape[2:].numel() < 2:
            raise InputError(
                f"instance normalisation needs maps of at least 2 places. Got "
                f"{tuple(input.shape)}; take larger pictures, or {INSTEAD}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, H, W) float → the same shape; also of no picture, unlike torch's."""
        return super().forward(input) if len(input) else input


class LocalResponse(nn.LocalResponseNorm):
    """torch's, with α as printed, which torch divides by ``size``; bfloat16 goes by float32."""

    def __init__(
        self, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
    ) -> None:
        super().__init__(size, alpha * size, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, H, W) float → the same shape and type."""
        if input.dtype != torch.bfloat16:
            return super().forward(input)
        return super().forward(input.float()).to(input.dtype)


def layer(channels: int) -> nn.Module:
    """All channels and places of a picture as one group, with a scale and shift a channel."""
    return nn.GroupNorm(1, channels)


def group(channels: int, *, per_group: int = 16) -> nn.Module:
    """As many equal groups as hold at least ``per_group`` channels each, else one group."""
    counts = (n for n in range(channels // per_group, 0, -1) if channels % n == 0)
    return nn.GroupNorm(next(counts, 1), channels)


def make_normalisation(name: str, channels: int, *, vectors: bool = False) -> nn.Module:
    """Return the normalisation ``name`` between layers; "none" changes nothing.

    ``vectors``: it will see (n, channels), not maps. Raises UnknownNameError, and InputError for
    one that is not for this place.
    """
    if name == NONE:
        return nn.Identity()
    if name in NORMALISATIONS and name not in LAYER_NORMALISATIONS:
        where = "inputs" if name in INPUT_NORMALISATIONS else "a network's first layer"
        raise InputError(
            f"normalisation {name} is for {where}, not between layers; take {NONE}, "
            f"{', '.join(LAYER_NORMALISATIONS)}"
        )
    if vectors and name in MAPS_ONLY:
        raise InputError(
            f"normalisation {name} needs maps, and these layers give vectors; take {NONE}, batch, "
            "layer or group"
        )
    row = look_up(LAYER_NORMALISATIONS, name, "normalisation")
    module: nn.Module = row.make(channels=channels)
    return module


INPUT_NORMALISATIONS = {
    "minmax": Entry(
        build=minmax,
        definition="(x - min) / (max - min), by column",
        source="Han, Kamber, Pei, Data Mining, 3rd ed., 2011, eq. 3.8",
        range="[0, 1] on what it was fitted to",
        note="one outlier presses all others together",
    ),
    "standardise": Entry(
        build=standardise,
        definition="(x - mean) / deviation, by column",
        source="LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998, section 4.3",
        range="(-∞, ∞)",
        note="training brings each picture to its own mean and deviation instead",
    ),
    "pca_whitening": Entry(
        build=pca_whitening,
        definition="(x - mean) V diag(λ + eps)^-½, covariance V diag(λ) Vᵀ",
        source="Kessy, Lewin, Strimmer, The American Statistician 72, 2018",
        range="(-∞, ∞)",
        note="eps above 0 (1e-5 is usual in [0, 1]) spares directions that are noise",
    ),
    "zca_whitening": Entry(
        build=zca_whitening,
        definition="(x - mean) V diag(λ + eps)^-½ Vᵀ",
        source="Bell and Sejnowski, Vision Research 37, 1997; Krizhevsky, 2009, appendix A",
        range="(-∞, ∞)",
        note="of d values it costs d² a picture and d³ to fit",
    ),
}
LAYER_NORMALISATIONS = {
    "local_response": Entry(
        build=LocalResponse,
        definition="x_i / (k + α Σ_j x_j²)^β over the n channels around i; n 5, k 2, α 1e-4, β ¾",
        source="Krizhevsky, Sutskever, Hinton, NIPS 2012, section 3.3",
        note="no scale or shift is learned",
    ),
    "batch": Entry(
        build=BatchNorm,
        definition="γ (x - mean) / (variance + 1e-5)^½ + β, by channel, over batch and places",
        source="Ioffe and Szegedy, 2015, arXiv:1502.03167, algorithm 1",
        note="outside training by running figures; poor on batches below about 8",
    ),
    "layer": Entry(
        build=layer,
        definition="γ (x - mean) / (variance + 1e-5)^½ + β, by picture, over channels and places",
        source="Ba, Kiros, Hinton, 2016, arXiv:1607.06450, eq. 3; Wu and He, 2018, section 3.1",
        note="γ and β are by channel, not by channel and place",
    ),
    "group": Entry(
        build=group,
        definition="as layer, over groups of at least 16 channels",
        source="Wu and He, 2018, arXiv:1803.08494, eq. 7 and table 3",
        note="one group where channels are fewer than 32",
    ),
    "instance": Entry(
        build=InstanceNorm,
        definition="as layer, over the places of one channel",
        source="Ulyanov, Vedaldi, Lempitsky, 2016, arXiv:1607.08022",
        note="takes away contrast; for style more than for classes",
    ),
}
FIRST_LAYERS = {
    "patch_whitening": Entry(
        build=PatchWhitening,
        definition="convolution with ± v_i / (λ_i + eps)^½, eigenvectors of patches' covariance",
        source="Coates and Ng, ICML 2011; Jordan, 2024, arXiv:2404.00498, section 3.2",
        note="fitted to pictures once, then fixed",
    ),
}
NORMALISATIONS = {**INPUT_NORMALISATIONS, **LAYER_NORMALISATIONS, **FIRST_LAYERS}
