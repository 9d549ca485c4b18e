"""Settings of how it is learned: the loss, the optimiser, the run."""

from dataclasses import dataclass

from saccade.config.setting import AUTO, setting


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
