"""The random changes that a recipe makes of training pictures, and of boxes in them."""

from saccade.augment import Augment, BoxAugment
from saccade.config import Recipe
from saccade.errors import SettingError
from saccade.training.step import Changes


def make_changes(recipe: Recipe) -> Changes:
    """Return what a batch goes through; raises SettingError for a mosaic without boxes."""
    chosen = dict(vars(recipe.augment))
    mosaic = chosen.pop("mosaic")
    if recipe.task == "detect":
        return BoxAugment(Augment(**chosen), mosaic=mosaic)
    if mosaic:
        raise SettingError(
            f"augment.mosaic {mosaic:g} is for task detect alone, since a mosaic of pictures has "
            f"no one label; leave it out, or take --task detect. Got task {recipe.task}"
        )
    window = recipe.forecast.seen + recipe.forecast.ahead if recipe.task == "forecast" else 1
    return Augment(**chosen, frames=window)
