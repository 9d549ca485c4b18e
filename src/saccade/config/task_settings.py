"""Settings of one task each: boxes, masks, frames."""

from dataclasses import dataclass

from saccade.config.setting import AUTO, setting


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
