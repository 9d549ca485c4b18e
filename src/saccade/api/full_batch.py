"""What a recipe must leave out when one step takes all pictures."""

from saccade.config import AUTO, Recipe, settings
from saccade.errors import SettingError
from saccade.optim import FULL_BATCH, takes_whole_loss

# What changes the loss from one evaluation to the next, or the weights behind a line search.
UNFIT = (
    *(name for name in settings() if name.startswith("augment.")),
    "model.dropout",
    "optim.frozen",
    "optim.l1",
    "optim.max_norm",
)


def require_full_batch(recipe: Recipe) -> None:
    """Raise SettingError, naming all that must change, where the optimiser cannot keep the recipe.

    One of FULL_BATCH takes an epoch for a step, each picture once. Those that evaluate their loss
    many times for it need one without chance, in float32.
    """
    name, train = recipe.optim.name, recipe.train
    if name in FULL_BATCH and (train.accumulate != 1 or train.batches == "balanced"):
        raise SettingError(
            f"{name} takes each picture once for a step, so train.accumulate must be 1 and "
            f"train.batches auto or shuffled. Got {train.accumulate} and {train.batches} instead"
        )
    if not takes_whole_loss(name):
        return
    values = settings(recipe)
    unfit = [each for each in UNFIT if values[each].value]
    if unfit:
        raise SettingError(
            f"{name} compares values of one loss, which nothing random and no bound may change "
            f"meanwhile; set to 0: {', '.join(unfit)}"
        )
    if train.precision == "bfloat16":
        raise SettingError(
            f"{name} compares values of one loss that are too near to each other for bfloat16; "
            f"train.precision must be {AUTO} or float32"
        )
