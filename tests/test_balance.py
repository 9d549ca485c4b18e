"""``--balance``: one word for two settings, refused where both say otherwise."""

import pytest

import saccade
from saccade.api.balance import BALANCES, with_balance
from saccade.cli.app import main
from saccade.config import settings
from saccade.errors import SettingError, UnknownNameError


@pytest.mark.parametrize("word", BALANCES)
def test_every_word_sets_both_settings_to_what_is_allowed(word):
    found = with_balance({"train.epochs": 3}, word)
    assert found == {"train.epochs": 3, **BALANCES[word]}
    for name, value in BALANCES[word].items():
        assert value in settings()[name].choices
    assert BALANCES[word].keys() == BALANCES["none"].keys()


def test_no_word_changes_nothing():
    assert with_balance({"train.epochs": 3}, None) == {"train.epochs": 3}


def test_what_contradicts_is_refused():
    with pytest.raises(SettingError, match=r"--balance weights means train\.batches shuffled"):
        with_balance({"train.batches": "balanced"}, "weights")
    with pytest.raises(UnknownNameError, match="weights"):
        with_balance({}, "weight")


@pytest.mark.parametrize("word", BALANCES)
def test_the_flag_reaches_the_recipe(word, class_folders, tmp_path):
    words = ["train", class_folders, "--task", "classify", "--out", tmp_path / "run"]
    words += ["--train.epochs", 1, "--model.width", 4, "--balance", word]
    assert main([*map(str, words)]) == 0
    made = saccade.read_recipe(tmp_path / "run" / "recipe.toml")
    wanted = BALANCES[word]
    assert made.loss.class_weights == wanted["loss.class_weights"]
    assert made.train.batches == wanted["train.batches"]


def test_a_task_without_classes_refuses_it(tmp_path, capsys):
    words = ["train", str(tmp_path), "--task", "regress", "--balance", "weights"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "loss.class_weights balanced needs classes" in error and error.count("\n") == 1
