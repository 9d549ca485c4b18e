"""Settings of the pictures: which are used, and how they are changed at random."""

from dataclasses import dataclass

from saccade.config.setting import AUTO, setting


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
