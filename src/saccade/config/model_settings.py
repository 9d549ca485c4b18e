"""Settings of what answers."""

from dataclasses import dataclass

from saccade.config.setting import setting


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
