"""Recipes: TOML there and back, flags, and one clear line for each wrong setting."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.config import Recipe, override, parse_size, read_recipe, settings, to_toml
from saccade.errors import SettingError

SIZES = st.tuples(st.integers(8, 1024), st.integers(8, 1024)).map(lambda hw: f"{hw[0]}x{hw[1]}")


def values_of(entry):
    if entry.name == "data.size":
        return st.just("auto") | SIZES
    if entry.choices:
        return st.sampled_from(entry.choices)
    if entry.auto:
        return st.just("auto") | st.floats(entry.low, entry.high)
    if isinstance(entry.value, bool):
        return st.booleans()
    if isinstance(entry.value, str):
        return st.text()
    kind = st.integers if isinstance(entry.value, int) else st.floats
    return kind(entry.low, entry.high)


ALL_VALUES = st.fixed_dictionaries({}, optional={k: values_of(e) for k, e in settings().items()})


@given(ALL_VALUES)
def test_a_recipe_comes_back_from_its_toml(tmp_path_factory, values):
    recipe = override(Recipe(), values.items(), where="test")
    file = tmp_path_factory.getbasetemp() / "recipe.toml"
    file.write_text(to_toml(recipe), encoding="utf-8")
    assert read_recipe(file) == recipe


@given(ALL_VALUES)
def test_text_and_typed_values_give_the_same_recipe(values):
    typed = override(Recipe(), values.items(), where="test")
    text = override(Recipe(), [(k, str(v)) for k, v in values.items()], where="test")
    assert text == typed
    assert {name: settings(typed)[name].value for name in values} == values


def test_every_setting_has_a_sentence_and_an_allowed_default():
    for name, entry in settings().items():
        assert entry.text, name
        assert override(Recipe(), [(name, entry.value)], where="test") == Recipe()


def test_later_values_win_and_the_rest_stays():
    recipe = override(Recipe(), [("train.epochs", 3), ("train.epochs", 4)], where="test")
    assert recipe.train.epochs == 4
    assert recipe.train.seed == Recipe().train.seed
    assert recipe.optim == Recipe().optim


def test_a_file_is_laid_over_its_base(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text("[train]\nepochs = 7\n")
    base = override(Recipe(), [("train.seed", 5), ("train.epochs", 2)], where="test")
    assert read_recipe(file, base) == override(base, [("train.epochs", 7)], where="test")


def test_a_number_goes_back_to_auto():
    recipe = override(Recipe(), [("loss.margin", "0.5")], where="test")
    assert recipe.loss.margin == 0.5
    assert override(recipe, [("loss.margin", "auto")], where="test") == Recipe()


def test_a_whole_number_does_for_a_fraction():
    recipe = override(Recipe(), [("optim.lr", 1)], where="test")
    assert recipe.optim.lr == 1.0
    assert isinstance(recipe.optim.lr, float)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("train.epoch", 3, "there is no setting 'train.epoch'; did you mean 'train.epochs'?"),
        ("trian.epochs", 3, "there is no setting 'trian.epochs'; did you mean 'train.epochs'?"),
        ("epochs", 3, "there is no setting 'epochs'; did you mean 'train.epochs'?"),
        ("qqqqqq", 3, "there is no setting 'qqqqqq'; known: augment.brightness, "),
        ("", 3, "there is no setting ''; known: "),
        ("train.epochs", "many", "train.epochs must be a whole number. Got 'many' instead"),
        ("train.epochs", 2.5, "train.epochs must be a whole number. Got '2.5' instead"),
        ("train.epochs", True, "train.epochs must be a whole number. Got 'True' instead"),
        ("train.epochs", [3], "train.epochs must be a whole number. Got '[3]' instead"),
        ("train.epochs", math.inf, "train.epochs must be a whole number. Got 'inf' instead"),
        ("train.epochs", "9" * 5000, "train.epochs must be a whole number."),
        ("optim.lr", "fast", "optim.lr must be auto or a number. Got 'fast' instead"),
        ("loss.margin", "wide", "loss.margin must be auto or a number. Got 'wide' instead"),
        ("loss.margin", 4, "loss.margin must be auto or 0 to 3. Got '4' instead"),
        ("optim.lr", False, "optim.lr must be auto or a number. Got 'False' instead"),
        ("optim.lr", None, "optim.lr must be auto or a number. Got 'None' instead"),
        ("model.mirror", "yes", "model.mirror must be true or false. Got 'yes' instead"),
        ("model.mirror", 1, "model.mirror must be true or false. Got '1' instead"),
        ("loss.name", 3, "loss.name must be text. Got '3' instead"),
        ("loss.name", True, "loss.name must be text. Got 'True' instead"),
        ("train.epochs", -2, "train.epochs must be 0 to 100000. Got '-2' instead"),
        ("train.epochs", "-1", "train.epochs must be 0 to 100000. Got '-1' instead"),
        ("augment.flip", 1.5, "augment.flip must be 0 to 1. Got '1.5' instead"),
        ("augment.flip", math.nan, "augment.flip must be 0 to 1. Got 'nan' instead"),
        ("optim.clip", -1, "optim.clip must be at least 0. Got '-1' instead"),
        ("data.colour", "gray", "data.colour must be auto, grey, rgb. Got 'gray' instead"),
        ("data.size", 64, "data.size must be text. Got '64' instead"),
        ("data.size", "64", "data.size must be auto or HEIGHTxWIDTH as 56x48. Got '64' instead"),
        ("data.size", "4x64", "data.size: each side must be 8 to 1024 pixels. Got '4x64' instead"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(name, value, said):
    with pytest.raises(SettingError) as caught:
        override(Recipe(), [(name, value)], where="here")
    assert str(caught.value).startswith(f"here: {said}")
    assert "\n" not in str(caught.value)


def test_a_wrong_setting_in_a_file_names_the_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[optim]\nlearning_rate = 0.1\n")
    with pytest.raises(SettingError) as caught:
        read_recipe(file)
    assert f"recipe {file}: there is no setting 'optim.learning_rate'" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[train\nepochs = 1", "is not valid TOML"),
        (b"task = '\xff\xfe'", "is not valid TOML"),
        (b"train = 3", "there is no setting 'train'"),
        (b"[[train]]\nepochs = 3", "there is no setting 'train'"),
    ],
)
def test_a_broken_file_is_refused_by_its_name(tmp_path, content, said):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(SettingError, match=said) as caught:
        read_recipe(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for place in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SettingError, match=r"does not exist|is a folder"):
            read_recipe(place)


@pytest.mark.parametrize(
    ("text", "size_hw"), [("56x48", (56, 48)), ("8X1024", (8, 1024)), ("auto", None)]
)
def test_sizes(text, size_hw):
    assert parse_size(text) == size_hw


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "64",
        "64x",
        "x64",
        "8x8x8",
        "-8x8",
        "8.0x8",
        "7x8",
        "8x1025",
        "²x8",
        "9" * 5000 + "x8",
    ],
)
def test_wrong_sizes_are_refused(text):
    with pytest.raises(SettingError, match=r"data\.size"):
        parse_size(text)


@given(st.text())
def test_any_text_is_a_size_or_refused(text):
    try:
        size_hw = parse_size(text)
    except SettingError:
        return
    assert size_hw is None or all(8 <= side <= 1024 for side in size_hw)
