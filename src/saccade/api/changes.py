"""The random changes that a recipe makes of training pictures, and of boxes and masks in them."""

from saccade.api.recipe import chosen_loss
from saccade.augment import Augment, BoxAugment, MaskAugment, Mixing
from saccade.augment.mixing import MIXTURES
from saccade.config import Recipe
from saccade.errors import SettingError
from saccade.losses import TAKE_SHARES
from saccade.training.step import Changes

OF_ONE_TASK = {
    "mosaic": ("detect", "a mosaic of pictures has no one label"),
    "paste": ("segment", "a mask says what is to be pasted"),
}


def make_changes(recipe: Recipe, *, classes: int = 0) -> Changes:
    """Return what a batch goes through; ``classes``: how many the pictures show.

    Raises SettingError for what this task has no use of, and for a mixture that it cannot learn.
    """
    chosen = dict(vars(recipe.augment))
    own = {name: chosen.pop(name) for name in OF_ONE_TASK}
    mixtures = {name: chosen.pop(name) for name in MIXTURES}
    for name, (task, reason) in OF_ONE_TASK.items():
        if own[name] and recipe.task != task:
            raise SettingError(
                f"augment.{name} {own[name]:g} is for task {task} alone, since {reason}; leave it "
                f"out, or take --task {task}. Got task {recipe.task}"
            )
    _require_mixable(recipe, mixtures)
    if recipe.task == "detect":
        return BoxAugment(Augment(**chosen), mosaic=own["mosaic"])
    if recipe.task == "segment":
        return MaskAugment(Augment(**chosen), paste=own["paste"])
    if recipe.task == "forecast":
        return Augment(**chosen, frames=recipe.forecast.seen + recipe.forecast.ahead)
    if not any(mixtures.values()):
        return Augment(**chosen)
    known = classes if recipe.task == "classify" else None
    return Mixing(Augment(**chosen), classes=known, **mixtures)


def _require_mixable(recipe: Recipe, mixtures: dict[str, float]) -> None:
    """Raise SettingError where a mixture is asked for that the task or its loss cannot learn."""
    for name, alpha in mixtures.items():
        told = f"augment.{name} {alpha:g}"
        if not alpha:
            continue
        if recipe.task not in ("classify", "regress"):
            raise SettingError(
                f"{told} makes pictures that are part of each of two, which task {recipe.task} "
                "cannot learn from; leave it out"
            )
        if recipe.task == "regress" and name == "cutmix":
            raise SettingError(
                f"{told} is for task classify, since a rectangle of a picture has no share of its "
                "numbers; take augment.mixup"
            )
        if not recipe.train.epochs:
            raise SettingError(f"{told} is for models that learn by descent; leave it out")
        auto = "hierarchical_cross_entropy" if recipe.data.tree else "cross_entropy"
        loss, _ = chosen_loss(recipe, auto=auto)
        if recipe.task == "classify" and loss not in TAKE_SHARES:
            raise SettingError(
                f"{told} gives a picture shares of two classes, and loss {loss} takes one class; "
                f"set loss.name {' or '.join(TAKE_SHARES)}"
            )
