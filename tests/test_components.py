"""The benchmark of components: its rows are the tables, its figures those of SciPy."""

import math
from pathlib import Path

import pytest
from scipy import stats

from saccade.api.recipe import whole_recipe
from saccade.nn import ACTIVATIONS, LAYER_NORMALISATIONS
from saccade.optim import OPTIMISERS, REGULARISERS

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def components():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        import components

    return components


def planted(components, accuracy):
    """Every training of the table, each as good as ``accuracy(row, seed)`` says."""
    trials = {}
    for row in components.rows():
        for changes, seed in components.wanted(row, trials):
            test = accuracy(row, seed)
            trials[components.key_of(changes, seed)] = {
                "test": test, "validation": test, "seconds": 2.0,
            }  # fmt: skip
    return trials


def test_every_part_has_a_row_whose_settings_are_allowed(components):
    names = {}
    for row in components.rows():
        names.setdefault(row.shelf, set()).add(row.name)
        for changes in row.choices:
            whole_recipe(None, None, components.BASE | changes)
    assert names == {
        "activation": set(ACTIVATIONS),
        "optimiser": set(OPTIMISERS),
        "normalisation": {"none", *LAYER_NORMALISATIONS},
        "regulariser": {"none", *REGULARISERS},
    }


def test_the_best_rate_is_chosen_on_validation_and_trained_three_times(components):
    row = next(row for row in components.rows() if row.name == "sgd")
    trials, done = {}, []
    for changes, seed in components.wanted(row, trials):
        rate = changes["optim.lr"]
        done.append((rate, seed))
        trials[components.key_of(changes, seed)] = {
            "test": 0.5 + seed / 10, "validation": -abs(rate - 0.6), "seconds": 1.0 + seed,
        }  # fmt: skip
    assert done == [(0.07, 0), (0.2, 0), (0.6, 0), (0.6, 1), (0.6, 2)]
    found = components.figure(row, trials)
    t = stats.t.interval(0.95, 2, loc=0.6, scale=0.1 / math.sqrt(3))
    assert (found.mean, found.seconds) == pytest.approx((0.6, 2.0))
    assert (found.low, found.high) == pytest.approx(t)
    assert list(components.wanted(row, trials)) == []


def test_one_training_serves_every_table_that_it_stands_in(components):
    trials = planted(components, lambda row, seed: 0.8 + seed / 1000)
    assert sum(key.startswith("#") for key in trials) == 3
    assert all(components.figure(row, trials) for row in components.rows())


def test_only_what_the_intervals_carry_is_said(components):
    better, worse = {"gelu"}, {"sigmoid", "softmax"}

    def accuracy(row, seed):
        return 0.8 + 0.1 * (row.name in better) - 0.1 * (row.name in worse) + seed / 1000

    trials = planted(components, accuracy)
    key = components.key_of({"model.activation": "tanh"}, 2)
    trials[key] = {"diverged": "step 3: the loss is nan"}
    text = components.report(trials, "2026-01-01, a machine")
    assert (
        "interval wholly above that of `relu`: `gelu`. Wholly below: `sigmoid`, `softmax`." in text
    )
    assert "| `tanh` | diverged |" in text
    assert "above that of `adamw`: none. Wholly below: none." in text
    assert text.count("The others cannot be told from") == 4
    assert "`newton`, lr 0.3, 2 steps" in text
    del trials[components.key_of({"optim.l1": 1e-4}, 1)]
    assert components.report(trials, "").endswith("Not measured to the end; run it again.\n")


def test_the_table_is_put_between_its_markers(components):
    page = f"before\n{components.BEGIN}\nold\n{components.END}\nafter\n"
    made = components.put_into(page, "new")
    assert "old" not in made and components.put_into(made, "new") == made
    assert made.startswith("before\n") and made.endswith("\nafter\n")
    with pytest.raises(SystemExit):
        components.put_into("no markers", "new")


def test_the_page_has_its_markers(components):
    assert components.put_into(components.PAGE.read_text(), "x")
