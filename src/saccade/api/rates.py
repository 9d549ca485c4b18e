"""The learning rate of a run: what the recipe says, or where it says auto the optimiser's own."""

from typing import NamedTuple

from saccade.config import AUTO, OptimSettings
from saccade.names import look_up
from saccade.optim import OPTIMISERS


class Rates(NamedTuple):
    """The highest rate, the name of its schedule, the share of the run in which it rises."""

    lr: float
    schedule: str
    warm_up: float


def chosen_rates(settings: OptimSettings) -> Rates:
    """Return the rates of a run; raises UnknownNameError for no such optimiser."""
    row = look_up(OPTIMISERS, settings.name, "optimiser")
    return Rates(
        lr=float(row.lr if settings.lr == AUTO else settings.lr),
        schedule=row.schedule if settings.schedule == AUTO else settings.schedule,
        warm_up=float(row.warm_up if settings.warm_up == AUTO else settings.warm_up),
    )
