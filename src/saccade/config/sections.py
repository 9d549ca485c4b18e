"""Every setting of a run: a field a setting, a class a section of the recipe.

A field here is at once the TOML key, the flag (``--section.key value``), the help text and the row
in the reference.
"""

from dataclasses import dataclass, field
from typing import Any

AUTO = "auto"


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] = (),
    auto: bool = False,
) -> Any:
    """Declare one setting: its default, one sentence, and what values are allowed (inclusive).

    With ``auto`` it is a fractional number, or the word "auto".
    """
    allowed = {"low": low, "high": high, "choices": choices, "auto": auto}
    return field(default=default, metadata={"text": text, **allowed})


@dataclass(frozen=True)
class DataSettings:
    """Which pictures are used, and at which size."""

    size: str = setting(
        AUTO,
        "height x width in pixels, as 56x48; auto takes that of model.weights, else that of the "
        "pictures, 64 at most",
    )
    colour: str = setting(
        AUTO, "auto is grey when every picture is grey", choices=(AUTO, "grey", "rgb")
    )
    extra_classes: str = setting(
        "none",
        "mirrored or turned pictures count as classes of their own",
        choices=("none", "mirrored", "turned"),
    )
    target: str = setting(
        "label",
        "regress: the columns of numbers that are learned, as age,height; label is also the names "
        "of folders",
    )
    tree: str = setting(
        "",
        "classify: tree of the classes: a .toml file of names in names, a .csv file with name and "
        "parent, or folders, for nested class folders; empty has none",
    )
    validation: float = setting(
        0.2,
        "share held out to judge on: of the classes for embed, of each class's pictures for "
        "classify, of the pictures for regress, of the sequences for forecast; 0 holds out none",
        low=0,
        high=0.9,
    )
    broken: float = setting(
        0.01, "share of the pictures that may be unreadable; above it nothing starts", low=0, high=1
    )
    reweight_to: str = setting(
        "",
        "classify and regress: pictures, without labels, that the model will be used on; those "
        "learned from then count by how likely they are among them. Empty weights none",
    )
    reweight_by: str = setting(
        AUTO,
        "what tells the two apart: auto is the network's features where model.weights brings it, "
        "else its pixels as it sees them, made small",
        choices=(AUTO, "network", "pixels", "hog"),
    )
    reweight_most: float = setting(
        20.0, "largest weight of a picture, where 1 is the mean", low=1, high=10_000
    )
    cache: float = setting(
        4.0,
        "GiB that the cache of decoded pictures may hold in all; 0 keeps none. Changes no result",
        low=0,
        high=100_000,
    )


@dataclass(frozen=True)
class ModelSettings:
    """What answers: a network, or a model without descent."""

    name: str = setting(
        "network",
        "for classify: network and linear learn by descent, linear on model.features; knn asks the "
        "nearest training pictures, ridge is solved for (also for regress)",
        choices=("network", "linear", "knn", "ridge"),
    )
    k: int = setting(5, "knn: how many of the nearest training pictures vote", low=1, high=100_000)
    distance: str = setting(
        "l2", "knn: l1 is the sum of absolute differences, l2 Euclidean", choices=("l1", "l2")
    )
    features: str = setting(
        "",
        "what takes the place of the backbone; empty is pixels for linear, knn and ridge, unless a "
        "backbone or weights are named",
        choices=("", "pixels", "canny", "hog", "sift"),
    )
    backbone: str = setting(
        "small_resnet", "name of the backbone; of another library as timm/resnet18"
    )
    weights: str = setting(
        "",
        "what the backbone starts from: a .safetensors file, a finished run, or hub for those that "
        "timm names; empty is from scratch",
    )
    width: int = setting(
        32, "channels of its first stage; not for backbones of other libraries", low=4, high=512
    )
    activation: str = setting(
        "", "name of the activation; empty is the backbone's own. Not for other libraries'"
    )
    normalisation: str = setting(
        "", "name of the normalisation between layers, or none; empty and others as above"
    )
    initialisation: str = setting(
        "", "name of how first weights are drawn; empty and others as above. Not with model.weights"
    )
    dimension: int = setting(128, "embed: length of the vector", low=2, high=4096)
    projection: str = setting(
        "whitened",
        "embed: last map; whitened is fitted after training, trained is the training head",
        choices=("whitened", "trained"),
    )
    shrinkage: float = setting(
        0.3, "whitened: share of the covariance made equal in all directions", low=0, high=1
    )
    ridge: float = setting(
        1.0,
        "ridge, and regress with train.epochs 0: penalty on the squared weights of the last map; "
        "0 is least squares",
        low=0,
        high=1e12,
    )
    dropout: float = setting(
        0.0,
        "chance that a feature is dropped before the last map, in training; 0 drops none",
        low=0,
        high=0.95,
    )
    mirror: bool = setting(
        False, "average the answers for a picture and its mirror image; detect joins their boxes"
    )


@dataclass(frozen=True)
class AugmentSettings:
    """Random changes to each training picture; 0 turns one off."""

    rotate: float = setting(10.0, "largest rotation, degrees, either way", low=0, high=180)
    scale: float = setting(0.12, "largest change of size, as a share, either way", low=0, high=0.9)
    shift: float = setting(
        0.08, "largest shift, as a share of the side, either way", low=0, high=0.9
    )
    flip: float = setting(0.0, "chance that a picture is mirrored left to right", low=0, high=1)
    brightness: float = setting(
        0.2, "largest change of brightness, black to white is 1", low=0, high=1
    )
    contrast: float = setting(0.25, "largest change of contrast, as a share", low=0, high=0.9)
    erase: float = setting(0.3, "chance that a random rectangle is covered", low=0, high=1)
    crop: float = setting(
        0.0, "largest share of a side that is cut off; the rest is made as large", low=0, high=0.9
    )
    colour: float = setting(
        0.0, "largest change of red, green and blue, each by itself, as a share", low=0, high=0.9
    )
    mosaic: float = setting(
        0.0, "detect: chance that a picture becomes a mosaic of four of its batch", low=0, high=1
    )
    paste: float = setting(
        0.0,
        "segment: chance that what another picture of the batch shows, all but its first class, "
        "is pasted over a picture",
        low=0,
        high=1,
    )
    random_erasing: float = setting(
        0.0,
        "chance that a rectangle of 2 to 40 % of the picture is covered with noise",
        low=0,
        high=1,
    )
    mixup: float = setting(
        0.0,
        "classify with cross_entropy, regress: alpha of mixup, which shows two pictures through "
        "each other; 0.2 to 1 is usual",
        low=0,
        high=100,
    )
    cutmix: float = setting(
        0.0,
        "classify with cross_entropy: alpha of CutMix, which lays a rectangle of another picture "
        "over each; 1 is usual; with mixup one of both is drawn for each batch",
        low=0,
        high=100,
    )


@dataclass(frozen=True)
class DetectSettings:
    """How boxes are found; for task detect alone."""

    family: str = setting(
        "one_stage",
        "one_stage answers for every anchor; two_stage looks at the likeliest once more",
        choices=("one_stage", "two_stage"),
    )
    strides: str = setting(
        "8,16,32",
        "pixels between two places of each level of the pyramid, powers of two; what the backbone "
        "has no map for is left out, what lies beyond its last is made",
    )
    depth: int = setting(64, "channels of each level", low=8, high=512)
    side: float = setting(
        4.0, "side of the smallest anchor of a level, in its strides", low=0.5, high=32
    )
    scales: int = setting(2, "sizes of anchors an octave, at each level", low=1, high=8)
    ratios: str = setting("0.5,1,2", "heights of anchors by their widths")
    fine_ratios: str = setting(
        "", "those of the finest level, where most anchors lie; empty as ratios"
    )
    remedy: str = setting(
        "ignore_band",
        "name of the remedy for too many background anchors: none, focal, extra_positives, "
        "ignore_band, background_weight or hard_negative_mining",
    )
    positive: float = setting(
        0.7,
        "ignore_band: overlap from which an anchor is an object; extra_positives: from which its "
        "objectness is",
        low=0.05,
        high=1,
    )
    negative: float = setting(
        0.3,
        "ignore_band, extra_positives: overlap below which an anchor is background, or counts "
        "for nothing",
        low=0,
        high=1,
    )
    background: float = setting(
        0.1, "background_weight: how much a background anchor counts", low=0, high=100
    )
    negatives: float = setting(
        3.0, "hard_negative_mining: background anchors that count, for each object", low=0.1
    )
    box_loss: str = setting(
        "giou", "what makes boxes fit: smooth_l1 of offsets, iou or giou of boxes"
    )
    box_weight: float = setting(2.0, "how much the loss of boxes counts", low=0, high=1000)
    repulsion: float = setting(
        0.0,
        "how much the repulsion of boxes from other objects, and from their boxes, counts",
        low=0,
        high=1000,
    )
    proposals: int = setting(
        2000,
        "two_stage: likeliest anchors before those that overlap are left out",
        low=1,
        high=1_000_000,
    )
    kept: int = setting(
        300, "two_stage: proposals that the second stage looks at", low=1, high=100_000
    )
    sampled: int = setting(64, "two_stage: proposals of a picture to learn from", low=2)
    foreground: float = setting(
        0.25, "two_stage: largest share of those that are objects", low=0.01, high=1
    )
    units: int = setting(256, "two_stage: width of the second head", low=8, high=8192)
    pool: str = setting(
        "align", "two_stage: how a proposal is looked at", choices=("align", "pool")
    )
    suppression: str = setting(
        "hard",
        "of boxes of one class that overlap: hard leaves out all but the surest, soft lowers their "
        "scores",
        choices=("hard", "soft"),
    )
    overlap: float = setting(0.5, "hard: from which two boxes are one object", low=0, high=1)
    at_least: float = setting(0.05, "lowest score of a box that is told", low=0, high=1)
    most: int = setting(100, "most boxes of a picture", low=1, high=10_000)


@dataclass(frozen=True)
class SegmentSettings:
    """Which masks are read, and how pixels are told apart; for task segment alone."""

    masks: str = setting(
        "",
        "folder of the masks, as PedMasks, in the data or anywhere; empty takes what is called "
        "masks, Pascal VOC's folders, or COCO's file",
    )
    classes: str = setting(
        "",
        "names of the classes in the order of their numbers, as ground,person, or a .csv or .toml "
        "file of names and, where masks hold colours, those; empty is what the data say",
    )
    values: str = setting(
        "classes",
        "what the numbers of a mask are: classes, or objects, where 0 is ground and all others are "
        "of one class",
        choices=("classes", "objects"),
    )
    ignore: str = setting(
        AUTO,
        "pixels that count nowhere: auto is 255 and a class called void; beside 255, those of a "
        "number or of a class by its name; none has none. Of objects 255 is one, unless named here",
    )
    stride: int = setting(
        8,
        "of the finest maps that are scored: 32 scores the coarsest alone, 16 adds finer ones, and "
        "so on; smaller ones draw finer edges",
        choices=(32, 16, 8, 4, 2),
    )
    depth: int = setting(
        0,
        "channels that maps are brought to, and mixed in, before they are scored; 0 scores each "
        "map and adds the scores",
        low=0,
        high=512,
    )
    dice: float = setting(
        1.0, "how much the Dice loss counts beside cross_entropy or focal", low=0, high=1000
    )
    fit: str = setting(
        "stretch",
        "stretch brings a whole picture to data.size; tiles learns from parts of data.size, of "
        "pictures brought to their median size, and answers each as it is, in parts that overlap",
        choices=("stretch", "tiles"),
    )
    overlap: float = setting(
        0.25, "tiles: least share of a tile's side that the next one covers too", low=0, high=0.9
    )


@dataclass(frozen=True)
class ForecastSettings:
    """How the next frames are said; for task forecast alone."""

    seen: int = setting(4, "frames of a window that are given", low=2, high=64)
    ahead: int = setting(2, "frames after them that are said", low=1, high=64)
    cell: str = setting(
        "convlstm", "name of the recurrent cell that keeps what was seen: convlstm or convgru"
    )
    channels: int = setting(16, "channels of the cell's maps", low=4, high=256)
    reach: int = setting(
        3,
        "pixels that a thing may move from one frame to the next, along each side, at data.size; "
        "the time of training grows with its square",
        low=1,
        high=15,
    )


@dataclass(frozen=True)
class LossSettings:
    """What training makes small."""

    name: str = setting(
        AUTO,
        "name of the loss; auto is arcface for embed, squared for regress, absolute_squared for "
        "forecast, for classify and segment cross_entropy, with data.tree "
        "hierarchical_cross_entropy",
    )
    margin: float | str = setting(
        AUTO,
        "arcface: angle in radians; triplet, triplet_semi_hard, contrastive: distance; hinge: "
        "difference of logits; auto is 0.3 for arcface and the triplets, 1 for the others",
        low=0,
        high=3,
        auto=True,
    )
    scale: float = setting(16.0, "arcface: factor on the cosines", low=1, high=256)
    smoothing: float = setting(
        0.1, "cross_entropy: share of each target given evenly to all classes", low=0, high=0.9
    )
    gamma: float = setting(
        2.0, "focal: how much less a sure answer counts; 0 is cross-entropy", low=0, high=10
    )
    alpha: float = setting(
        0.5,
        "hierarchical_cross_entropy: how much less an edge counts with each edge above it; 0 is "
        "cross-entropy",
        low=0,
        high=10,
    )
    class_weights: str = setting(
        "none",
        "classify, segment: balanced lets every class count the same, however many pictures, or "
        "pixels, it has",
        choices=("none", "balanced"),
    )


@dataclass(frozen=True)
class OptimSettings:
    """How the weights are moved."""

    name: str = setting("adamw", "name of the optimiser")
    lr: float | str = setting(
        AUTO,
        "highest learning rate; auto is the optimiser's own, 0.002 for adamw",
        low=0,
        high=100,
        auto=True,
    )
    backbone_lr: float = setting(
        1.0,
        "share of the rate that the backbone takes; lower spares model.weights, 0 keeps them",
        low=0,
        high=1,
    )
    frozen: float = setting(
        0.0,
        "share of the epochs in which the backbone stays as model.weights brings it, and its "
        "normalisations with it, while the head learns; 1 is all of them",
        low=0,
        high=1,
    )
    thaw: str = setting(
        "together",
        "what follows optim.frozen: the backbone thaws together at its end, or by_part in the "
        "course of it, from the head on",
        choices=("together", "by_part"),
    )
    weight_decay: float = setting(
        0.05,
        "weight decay of weight matrices; adamw and muon decouple it from the gradient",
        low=0,
        high=10,
    )
    l1: float = setting(
        0.0,
        "L1 penalty of weight matrices, which makes weights exactly 0; 0 has none",
        low=0,
        high=10,
    )
    max_norm: float = setting(
        0.0,
        "largest norm of the weights of a unit, kept after every step; 0 sets no bound",
        low=0,
        high=1000,
    )
    schedule: str = setting(
        AUTO,
        "how the rate goes through the run; auto is one_cycle, constant for asgd, lbfgs and newton",
    )
    warm_up: float | str = setting(
        AUTO,
        "share of the run in which the rate rises; auto is 0.15, 0 for lbfgs and newton",
        low=0,
        high=0.9,
        auto=True,
    )
    clip: float = setting(
        5.0, "largest norm of the gradient; 0, lbfgs and newton do not clip", low=0
    )
    ema: float = setting(
        0.0,
        "decay of the weights' running average, which is then judged and kept; 0 keeps the weights",
        low=0,
        high=0.99999,
    )


@dataclass(frozen=True)
class TrainSettings:
    """How long and how training runs."""

    epochs: int = setting(
        40,
        "passes over the training pictures; 0, for embed and regress, only fits the last map",
        low=0,
        high=100_000,
    )
    batches: str = setting(
        AUTO,
        "balanced draws classes, then pictures of each; shuffled draws every picture once an "
        "epoch; auto is balanced for embed, shuffled for the others",
        choices=(AUTO, "balanced", "shuffled"),
    )
    batch_size: int = setting(64, "shuffled: most pictures in a batch", low=2, high=4096)
    classes_per_batch: int = setting(16, "balanced: classes in a batch", low=2, high=4096)
    pictures_per_class: int = setting(
        4, "balanced: pictures drawn of each class in a batch", low=2, high=4096
    )
    accumulate: int = setting(
        1, "batches whose gradients are added for one step; triplets stay within a batch", low=1
    )
    patience: int = setting(
        0,
        "epochs without improvement before the run stops, of validation accuracy for classify, of "
        "validation R2 for regress, of the training loss for embed; 0 never stops early",
        low=0,
    )
    calibrate: bool = setting(
        True,
        "classify, but for knn: fit a temperature on the pictures held out, if there are 30, so "
        "that probabilities are right as often as they say; no answer changes",
    )
    seed: int = setting(0, "seed of every random draw", low=0, high=2**31 - 1)
    precision: str = setting(
        AUTO,
        "auto measures, where the processor has bfloat16 instructions, which is faster",
        choices=(AUTO, "float32", "bfloat16"),
    )
    threads: int = setting(0, "processor threads; 0 uses every core", low=0, high=1024)


@dataclass(frozen=True)
class Recipe:
    """All settings of a run."""

    task: str = setting("embed", "what is learned")
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    augment: AugmentSettings = AugmentSettings()
    detect: DetectSettings = DetectSettings()
    segment: SegmentSettings = SegmentSettings()
    forecast: ForecastSettings = ForecastSettings()
    loss: LossSettings = LossSettings()
    optim: OptimSettings = OptimSettings()
    train: TrainSettings = TrainSettings()
