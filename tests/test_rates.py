"""Each optimiser has a rate, a schedule and a warm-up of its own, where the recipe says auto."""

import pytest

from saccade.api.rates import Rates, chosen_rates
from saccade.api.train import Training
from saccade.config import OptimSettings, Recipe, override
from saccade.errors import UnknownNameError
from saccade.optim import OPTIMISERS, SCHEDULES, takes_whole_loss


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_has_its_own(name):
    found = chosen_rates(OptimSettings(name=name))
    row = OPTIMISERS[name]
    assert found == (row.lr, row.schedule, row.warm_up)
    assert found.schedule in SCHEDULES and 0 < found.lr <= 1
    if takes_whole_loss(name):
        assert found == (1.0, "constant", 0.0), "what a line search begins with"


def test_the_default_is_as_it_was():
    """The figures that recipes had before they could say auto."""
    assert chosen_rates(OptimSettings()) == Rates(0.002, "one_cycle", 0.15)


def test_what_is_said_counts():
    said = {"optim.lr": "0", "optim.schedule": "cosine", "optim.warm_up": "0"}
    recipe = override(Recipe(), {"optim.name": "newton", **said}.items(), where="test")
    assert chosen_rates(recipe.optim) == (0.0, "cosine", 0.0)


def test_an_unknown_optimiser_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'adamw'"):
        chosen_rates(OptimSettings(name="adamww"))


@pytest.mark.parametrize(("name", "rate"), [("lbfgs", 1.0), ("asgd", 0.1)])
def test_a_run_takes_them(class_folders, tmp_path, name, rate):
    still = dict.fromkeys((f"augment.{key}" for key in vars(Recipe().augment)), 0.0)
    settings = still | {"optim.name": name, "train.epochs": 1, "model.width": 4}
    settings |= {"train.threads": 1, "train.precision": "float32"}
    run = Training(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    records = list(run.records())
    steps = len(records)
    warm = OPTIMISERS[name].warm_up
    for number, record in enumerate(records):
        share = min(1.0, (number + 1) / steps / warm) if warm else 1.0
        assert record.lr == pytest.approx(rate * share)
