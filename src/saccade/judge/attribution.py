"""Which places of a picture made a network's number what it is.

Grad-CAM: Selvaraju et al., ICCV 2017, eq. 1 and 2: the last maps of features, each weighted by the
mean of the number's slope over its places, added up, and what is below 0 cut off. Integrated
gradients: Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, eq. 1: the
slopes on the straight way from a picture that shows nothing to this one; all parts add up to the
difference of the two numbers (proposition 1), so how far they miss it is the error of the sum over
steps. Both by captum. Explained is what the network adds up, before a softmax. We differ: where the
answer is a mean over the picture and its mirror image, so is the explanation; steps are doubled
until the sum is near enough.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from saccade.errors import InputError
from saccade.nn import PLAIN
from saccade.nn.last_map import last_map
from saccade.nn.pixels import Pixels
from saccade.tasks.classify import ClassifyNetwork
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.model import Model
from saccade.tasks.neighbours import NeighboursNetwork
from saccade.tasks.network import BackboneNetwork
from saccade.tasks.regress import RegressNetwork
from saccade.values import Float32Array

FIRST_STEPS, MOST_STEPS = 32, 256
NEAR_ENOUGH = 0.01  # of the difference that the parts must add up to
SMALLEST = 1e-6  # difference that an error is a share of
ABOUT_PIXELS = 1 << 18  # that go through the network at once

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What each place adds to ``score``, the number for the picture.

    ``grad_cam``: (h, w) ≥ 0 at the size of the last maps; None, with the reason in ``no_grad_cam``,
    where there are none. ``gradients``: (H, W) at the size that the model sees, above 0 where a
    place speaks for what is explained; they add up to the difference of ``score`` and ``baseline``,
    the number for a picture that shows nothing, but for the share ``off`` of it, by ``steps``.
    """

    grad_cam: Float32Array | None
    no_grad_cam: str
    gradients: Float32Array
    score: float
    baseline: float
    off: float
    steps: int


def explainable(model: Model) -> BackboneNetwork:
    """Return the network of ``model``; InputError, with the remedy, when it has no slopes."""
    network = model.network
    if network is None:
        raise InputError("plain pixels have no network to look into; name a run that was trained")
    if not isinstance(network, BackboneNetwork):
        raise InputError(
            f"{model.called} is not explained, as it has no answer to one picture; name the run of "
            "another task"
        )
    if isinstance(network, NeighboursNetwork):
        raise InputError(
            "a model knn is explained by the training pictures that voted: saccade predict RUN "
            "PICTURES --neighbours PAGE.html"
        )
    if isinstance(network.backbone, tuple(set(PLAIN.values()) - {Pixels})):
        raise InputError(
            f"features made by hand, {model.card['backbone']}, have no slopes to follow back to "
            "the picture; name a run with a backbone, or with model.features pixels"
        )
    return network.eval()


def attribute(
    network: BackboneNetwork,
    picture: Tensor,
    *,
    output: int,
    sign: int = 1,
    mirror: bool = False,
    towards: Tensor | None = None,
) -> Attribution:
    """Explain number ``output`` of a network in eval mode for one picture (1, c, H, W) uint8.

    A classifier's number is the class's logit, a regressor's the target in its unit, an embedder's
    (``output`` 0) the cosine with ``towards`` (1, dimension), of length 1. ``sign`` -1: what makes
    the number smaller counts as for it. ``mirror`` as in the model's card.
    """
    with torch.no_grad():
        seen = network.seen(picture.float() / 255)
        nothing = _nothing(network, seen)
    scores = _scores(network, mirror=mirror, towards=towards)

    def score(given: Tensor) -> Tensor:
        return sign * scores(given)[:, output]

    cam, reason = _grad_cam(network, score, seen)
    gradients, ends, steps = _integrated(score, seen, nothing)
    parts = gradients.double().sum(1)[0]
    off = abs(parts.sum().item() - (ends[0] - ends[1])) / max(abs(ends[0] - ends[1]), SMALLEST)
    score_here, baseline = (sign * end for end in ends)
    return Attribution(cam, reason, parts.float().numpy(), score_here, baseline, float(off), steps)


def vector_of(network: EmbeddingNetwork, picture: Tensor, *, mirror: bool) -> Tensor:
    """(1, c, H, W) uint8 → (1, dimension) float of length 1, as ``embed_batch`` makes it."""
    with torch.no_grad():
        return _vectors(network, network.seen(picture.float() / 255), mirror=mirror)


def _scores(network: BackboneNetwork, *, mirror: bool, towards: Tensor | None) -> Score:
    """From what the backbone is given (n, c, H, W) to the numbers (n, k) that can be explained."""
    if isinstance(network, EmbeddingNetwork):
        if towards is None:
            raise InputError("an embedder explains a similarity; name the other picture's vector")
        return lambda given: _vectors(network, given, mirror=mirror) @ towards.T

    assert isinstance(network, ClassifyNetwork | RegressNetwork)  # No other has a head.

    def numbers(given: Tensor) -> Tensor:
        both = torch.cat([given, given.flip(3)]) if mirror else given
        found = network.head(network.backbone(both))
        if isinstance(network, RegressNetwork):
            found = found.double() * network.spread + network.centre
        mean: Tensor = found.reshape(-1, len(given), found.shape[1]).mean(0)
        return mean

    return numbers


def _vectors(network: EmbeddingNetwork, given: Tensor, *, mirror: bool) -> Tensor:
    both = torch.cat([given, given.flip(3)]) if mirror else given
    vectors = normalize(network.project(network.backbone(both)))
    return normalize(vectors.reshape(-1, len(given), vectors.shape[1]).sum(0))


def _nothing(network: BackboneNetwork, seen: Tensor) -> Tensor:
    """A picture that shows nothing: the mean colour, which is 0 where inputs are normalised."""
    if isinstance(network.backbone, Pixels):
        return seen.mean((1, 2, 3), keepdim=True).expand_as(seen)
    return torch.zeros_like(seen)


def _grad_cam(
    network: BackboneNetwork, score: Score, seen: Tensor
) -> tuple[Float32Array | None, str]:
    from captum.attr import LayerGradCam

    if isinstance(network.backbone, Pixels):
        return None, "it has no maps of features: it looks at pixels as they are"
    try:
        layer = last_map(network.backbone, seen)
    except InputError as error:
        return None, str(error)
    found = LayerGradCam(score, layer).attribute(seen.clone().requires_grad_())
    # Of the picture and, where there is one, of its mirror image, whose map is turned back.
    maps = found.detach()[:, 0]
    both = torch.stack([maps[0], *(one.flip(1) for one in maps[1:])])
    return both.sum(0).clamp(min=0).float().numpy(), ""


def _integrated(
    score: Score, seen: Tensor, nothing: Tensor
) -> tuple[Tensor, tuple[float, float], int]:
    """Parts (1, c, H, W) of the difference, the numbers at both ends, and the steps taken."""
    from captum.attr import IntegratedGradients

    together = max(1, ABOUT_PIXELS // (seen.shape[2] * seen.shape[3]))
    with torch.no_grad():
        ends = score(seen).item(), score(nothing).item()
    wanted = ends[0] - ends[1]
    steps = FIRST_STEPS
    while True:
        parts = IntegratedGradients(score).attribute(
            seen.clone().requires_grad_(), nothing, n_steps=steps, internal_batch_size=together
        )
        missed = abs(parts.double().sum().item() - wanted)
        if steps >= MOST_STEPS or missed <= NEAR_ENOUGH * abs(wanted):
            return parts.detach(), ends, steps
        steps *= 2
