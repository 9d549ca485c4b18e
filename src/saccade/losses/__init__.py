"""Losses by name, grouped by what they compare.

Each is a module that gives a scalar, the mean over its batch, and 0 for an empty one:

- LOGIT_LOSSES, for classification: called with (logits, targets).
- VECTOR_LOSSES, for embedding: called with (vectors, targets).
- PAIR_LOSSES, for embedding: likewise, over all pairs or triplets of a batch; their methods
  ``pairs`` and ``triplets`` take drawn ones.
- VALUE_LOSSES, for regression: called with (values, targets).
- CORNER_LOSSES: ``giou`` called with (boxes, targets), ``repulsion`` with (boxes, objects, own).
- MASK_LOSSES: called with (logits, masks).
- PICTURE_LOSSES: ``content`` and ``style`` called with features and wanted ones,
  ``total_variation`` with pictures.

For detectors there are also BOX_LOSSES in ``box_losses``, called with (offsets, anchors, corners),
a value a box, and REMEDIES in ``remedies``.
"""

from collections.abc import Mapping

from saccade.errors import SettingError
from saccade.losses.arcface import ArcFace
from saccade.losses.box_losses import GIoU
from saccade.losses.contrastive import Contrastive
from saccade.losses.cross_entropy import CrossEntropy
from saccade.losses.focal import Focal
from saccade.losses.hierarchical import HierarchicalCrossEntropy
from saccade.losses.hinge import Hinge
from saccade.losses.lossless_triplet import LosslessTriplet
from saccade.losses.masks import Dice
from saccade.losses.pictures import Content, Style, TotalVariation
from saccade.losses.repulsion import Repulsion
from saccade.losses.triplet import BatchHardTriplet, SemiHardTriplet
from saccade.losses.values import Absolute, AbsoluteSquared, Huber, Shrinkage, SmoothL1, Squared
from saccade.names import look_up
from saccade.shelf import Entry


def find_loss(fitting: Mapping[str, Entry], name: str, use: str) -> Entry:
    """Return the row ``name`` of ``fitting``; ``use`` says what they fit, as "task classify".

    Raises SettingError for a loss of another kind, UnknownNameError for no loss.
    """
    if name in LOSSES and name not in fitting:
        fit = ", ".join(sorted(fitting))
        raise SettingError(f"loss '{name}' does not fit {use}; take one of: {fit}")
    return look_up(fitting, name, f"loss for {use}")


LOGIT_LOSSES = {
    "cross_entropy": Entry(
        build=CrossEntropy,
        definition="-Σ_c q_c log p_c, p = softmax(logits), q = (1 - s) target + s / classes",
        source="Szegedy et al., 2015, arXiv:1512.00567, section 7, for label smoothing; torch",
        range="[0, ∞)",
        note="smoothing s; takes class numbers, one-hot rows or shares",
    ),
    "hinge": Entry(
        build=Hinge,
        definition="Σ_{j≠y} max(0, z_j - z_y + margin)",
        source="Weston and Watkins, ESANN 1999",
        range="[0, ∞)",
        note="the softmax of such logits is no measured probability",
    ),
    "focal": Entry(
        build=Focal,
        definition="-(1 - p_y)^gamma log p_y, p = softmax(logits)",
        source="Lin et al., 2017, arXiv:1708.02002, eq. 4 and 5",
        range="[0, ∞)",
        note="gamma 0 is cross-entropy; alpha is the class weights",
    ),
    "hierarchical_cross_entropy": Entry(
        build=HierarchicalCrossEntropy,
        definition="-Σ exp(-alpha depth) log p(node | parent) over the edges from the root to y",
        source="Bertinetto et al., 2020, arXiv:1912.09393, section 3.1",
        range="[0, ∞)",
        note="needs data.tree; alpha 0 is cross-entropy",
    ),
}
TAKE_SHARES = ("cross_entropy",)  # Of those, what takes rows of shares beside class numbers.
VECTOR_LOSSES = {
    "arcface": Entry(
        build=ArcFace,
        definition="cross-entropy of scale cos(θ_j), with cos(θ_y + margin) for the true class",
        source="Deng, Guo, Xue, Zafeiriou, 2019, arXiv:1801.07698, eq. 3",
        range="[0, ∞)",
        note="learns one direction a class",
    ),
    "triplet": Entry(
        build=BatchHardTriplet,
        definition="max(0, margin + max d(a, p) - min d(a, n)), over the anchors of a batch",
        source="Hermans, Beyer, Leibe, 2017, arXiv:1703.07737, eq. 5",
        range="[0, 2 + margin]",
    ),
    "triplet_semi_hard": Entry(
        build=SemiHardTriplet,
        definition="margin + d(a, p) - d(a, n) where d(a, p) < d(a, n) ≤ d(a, p) + margin, else 0",
        source="Schroff, Kalenichenko, Philbin, FaceNet, 2015, arXiv:1503.03832, section 3.2",
        range="[0, margin]",
    ),
}
PAIR_LOSSES = {
    "contrastive": Entry(
        build=Contrastive,
        definition="d² / 2 for a pair of one class, max(0, margin - d)² / 2 for another",
        source="Hadsell, Chopra, LeCun, CVPR 2006, eq. 4",
        range="[0, max(2, margin² / 2)]",
    ),
    "lossless_triplet": Entry(
        build=LosslessTriplet,
        definition="-ln(1 - d(a, p)² / beta + ε) - ln(1 - (4 - d(a, n)²) / beta + ε)",
        source="Arsenault, Lossless Triplet Loss, 2018",
        range="[-2 ln(1 + ε), -2 ln(1 - 4 / beta + ε)]",
        note="vectors of length 1 in place of sigmoids; beta ≥ 4",
    ),
}
VALUE_LOSSES = {
    "squared": Entry(build=Squared, definition="(x - y)²", source="Gauss, 1809", range="[0, ∞)"),
    "absolute": Entry(build=Absolute, definition="|x - y|", source="Laplace, 1774", range="[0, ∞)"),
    "absolute_squared": Entry(
        build=AbsoluteSquared,
        definition="l + weight l², l = |x - y|",
        source="the sum of both; for frames they are compared in Mathieu, Couprie, LeCun, 2015, "
        "arXiv:1511.05440, section 3",
        range="[0, ∞)",
    ),
    "smooth_l1": Entry(
        build=SmoothL1,
        definition="l² / (2 beta) for l = |x - y| < beta, else l - beta / 2",
        source="Girshick, Fast R-CNN, 2015, arXiv:1504.08083, eq. 3; torch",
        range="[0, ∞)",
    ),
    "huber": Entry(
        build=Huber,
        definition="l² / 2 for l = |x - y| ≤ delta, else delta (l - delta / 2)",
        source="Huber, 1964; torch",
        range="[0, ∞)",
    ),
    "shrinkage": Entry(
        build=Shrinkage,
        definition="l² / (1 + exp(speed (centre - l))), l = |x - y|; with importance times exp(y)",
        source="Lu et al., Deep Regression Tracking with Shrinkage Loss, ECCV 2018, section 3",
        range="[0, ∞)",
    ),
}
CORNER_LOSSES = {
    "giou": Entry(
        build=GIoU,
        definition="1 - IoU + (hull - union) / hull",
        source="Rezatofighi et al., 2019, arXiv:1902.09630, algorithm 2",
        range="[0, 2]",
    ),
    "repulsion": Entry(
        build=Repulsion,
        definition="alpha mean smooth_ln(IoG(box, other object)) + beta mean smooth_ln(IoU(boxes))",
        source="Wang et al., Repulsion Loss, 2018, arXiv:1711.07752, section 4",
        range="[0, alpha (1 - ln(1 - sigma_objects)) + beta (1 - ln(1 - sigma_boxes))]",
        note="add a loss that attracts, such as giou",
    ),
}
MASK_LOSSES = {
    "dice": Entry(
        build=Dice,
        definition="1 - 2 Σ p g / (Σ p² + Σ g²)",
        source="Milletari, Navab, Ahmadi, V-Net, 2016, arXiv:1606.04797, section 3",
        range="[0, 1]",
    ),
}
PICTURE_LOSSES = {
    "content": Entry(
        build=Content,
        definition="Σ (F - P)² / 2",
        source="Gatys, Ecker, Bethge, 2016, arXiv:1508.06576, eq. 1",
        range="[0, ∞)",
    ),
    "style": Entry(
        build=Style,
        definition="Σ_layers w Σ (F Fᵀ - S Sᵀ)² / (4 c² (h w)²)",
        source="Gatys, Ecker, Bethge, 2016, arXiv:1508.06576, eq. 3 to 5",
        range="[0, ∞)",
    ),
    "total_variation": Entry(
        build=TotalVariation,
        definition="Σ (dx² + dy²)^(beta / 2)",
        source="Mahendran and Vedaldi, 2015, arXiv:1412.0035, section 3",
        range="[0, ∞)",
    ),
}
LOSSES = {
    **LOGIT_LOSSES,
    **VECTOR_LOSSES,
    **PAIR_LOSSES,
    **VALUE_LOSSES,
    **CORNER_LOSSES,
    **MASK_LOSSES,
    **PICTURE_LOSSES,
}
