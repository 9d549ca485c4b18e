"""Cards: what each may hold, the line for each fault, and the first card of a graph."""

import json
import tomllib

import pytest

from saccade.cli.app import main
from saccade.errors import InputError
from saccade.exchange import load_detector, load_embedder
from saccade.exchange.card import FIELDS, TEMPLATES, fields_of, parse_card, read_card
from saccade.exchange.first_card import first_card
from tests.graphs import (
    DETECTOR_CARD,
    EMBEDDER_CARD,
    port,
    write_card,
    write_detector,
    write_embedder,
)
from tests.test_exchange_embedder import changed

PRIORS = {"strides": [8, 16], "sizes": [[4], [8, 9.5]], "variances": [0.1, 0.2], "clip": True}
FULL = {
    **DETECTOR_CARD,
    "outputs": {"a": "scores", "b": "boxes", "c": "landmarks"},
    "detector": {**DETECTOR_CARD["detector"], "coding": "priors", "template": "arcface"},
    "priors": PRIORS,
}
del FULL["detector"]["units"]


def laid(card, key, value):
    """A copy of a card with one field, ``table.key``, changed; None takes it out."""
    told = json.loads(json.dumps(card))
    head, _, name = key.rpartition(".")
    table = told.setdefault(head, {}) if head else told
    if value is None:
        del table[name]
    else:
        table[name] = value
    return told


def test_a_whole_card_is_read():
    card = parse_card(FULL, where="card")
    assert (card.kind, card.size, card.mean) == ("detector", (8, 8), (120.0, 110.0, 100.0))
    assert card.outputs == {"scores": "a", "boxes": "b", "landmarks": "c"}
    assert (card.strides, card.sizes, card.clip) == ((8, 16), ((4.0,), (8.0, 9.5)), True)
    assert card.template == TEMPLATES["arcface"] and card.template_array.shape == (5, 2)
    assert parse_card(EMBEDDER_CARD, where="card").dimension == 5
    assert parse_card(EMBEDDER_CARD, where="card").template_array is None


@pytest.mark.parametrize("card", [EMBEDDER_CARD, DETECTOR_CARD, FULL], ids="edf")
def test_every_field_must_be_there_known_and_what_it_must(card):
    landmarks, priors = card is FULL, card is FULL
    fields = fields_of(card["kind"], landmarks=landmarks, priors=priors)
    for name, field in fields.items():
        for value, words in (
            (None, f"{name} is missing; it must be {field.text}"),
            ("?", f'{name} is still "?"; it must be {field.text}'),
            (-3.5, f"{name} must be {field.text}. Got -3.5 instead"),
            ([], f"{name} must be {field.text}. Got [] instead"),
        ):
            with pytest.raises(InputError) as error:
                parse_card(laid(card, name, value), where="card x.toml")
            assert str(error.value).startswith("card x.toml: ")
            assert words in str(error.value)


@pytest.mark.parametrize(
    ("card", "key", "value", "words"),
    [
        (EMBEDDER_CARD, "licens", "MIT", "no field 'licens'; did you mean 'licence'"),
        (EMBEDDER_CARD, "input.meen", [1], "did you mean 'input.mean'"),
        (EMBEDDER_CARD, "detector.iou", 0.5, "detector.iou has no meaning in this card"),
        (FULL, "detector.units", "pixels", "detector.units has no meaning in this card"),
        (DETECTOR_CARD, "detector.template", "arcface", "has no meaning in this card"),
        (EMBEDDER_CARD, "kind", "Embedder", "kind must be embedder, detector or segmenter. Got"),
        (EMBEDDER_CARD, "input.size", [8, 5000], "each 1 to 4096. Got [8, 5000]"),
        (EMBEDDER_CARD, "input.size", [8, True], "input.size must be"),
        (EMBEDDER_CARD, "input.size", "8x8", "input.size must be"),
        (EMBEDDER_CARD, "input.mean", [0.5, 0.5], "in units of the 0-255 pixel"),
        (EMBEDDER_CARD, "input.mean", [float("nan")] * 3, "input.mean must be"),
        (EMBEDDER_CARD, "input.std", [1, 0, 1], "above 0"),
        (EMBEDDER_CARD, "input.std", [1, float("inf"), 1], "input.std must be"),
        (EMBEDDER_CARD, "embedder.dimension", 0, "the length of the vectors"),
        (DETECTOR_CARD, "detector.threshold", 1.5, "0 to 1"),
        (FULL, "detector.template", "arcfase", "arcface, or points [x, y]"),
        (FULL, "detector.template", [[0.5, 38.0]], "or points [x, y] in 0 to 1"),
        (FULL, "priors.strides", [8], "one list for each of priors.strides"),
        (FULL, "priors.sizes", [[4], []], "priors.sizes must be"),
        (EMBEDDER_CARD, "input.mean", {"red": 1}, "input.mean must be"),
        (EMBEDDER_CARD, "licence", {"name": "MIT"}, "no field 'licence.name'; did you mean"),
        (EMBEDDER_CARD, "outputs", None, "the table [outputs] is missing"),
        (EMBEDDER_CARD, "outputs", {}, "no output is said to be vector"),
        (EMBEDDER_CARD, "outputs", {"v": "vectors"}, "did you mean 'vector'"),
        (EMBEDDER_CARD, "outputs", {"v": 3}, "no meaning '3'"),
        (EMBEDDER_CARD, "outputs", {"v": "?"}, 'output "v" is still "?"'),
        (EMBEDDER_CARD, "outputs", {"v": "vector", "w": "vector"}, "two outputs are said"),
        (EMBEDDER_CARD, "outputs", {"v": "boxes"}, "known: vector"),
    ],
)
def test_faults_are_named(card, key, value, words):
    with pytest.raises(InputError) as error:
        parse_card(laid(card, key, value), where="card x.toml")
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 5000, "is not valid TOML"),
        ("a = 1\n" * 200_000, "over the limit of 1,048,576 bytes"),
        ('kind = "embedder"\n"no\\nfield" = 1\n', r"no field 'no\nfield'"),
        (f'kind = "{"x" * 100_000}"\n', "Got 'xxx"),
    ],
)
def test_hostile_cards_are_refused_in_a_short_line(tmp_path, text, words):
    file = write_embedder(tmp_path / "e.onnx")
    file.with_suffix(".toml").write_text(text)
    with pytest.raises(InputError) as error:
        load_embedder(file)
    assert words in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_boxes_laid_out_beforehand_are_counted_before_they_are_made(tmp_path):
    priors = {
        "strides": [1, 2],
        "sizes": [[1.0] * 60_000, [2.0]],
        "variances": [0.1, 0.2],
        "clip": False,
    }
    file = write_detector(
        tmp_path / "d.onnx",
        {"scores": [[0, 1]], "boxes": [[0, 0, 1, 1]]},
        detector={"coding": "priors", "units": None},
        priors=priors,
    )
    with pytest.raises(InputError, match=r"lays out 3,840,016 boxes; the limit is 1,048,576"):
        load_detector(file)


@pytest.mark.parametrize("points", [[[0.5, 0.5]], [[0.5, 0.5]] * 5, [[0.5, 0.5], [0.55, 0.59]]])
def test_a_template_without_an_extent_is_none(tmp_path, points):
    answers = {"scores": [[0, 1]], "boxes": [[0, 0, 1, 1]], "landmarks": [[0.2] * 2 * len(points)]}
    file = write_detector(
        tmp_path / "d.onnx",
        answers,
        outputs={"landmarks": "landmarks"},
        detector={"template": points},
    )
    with pytest.raises(InputError, match=r"detector.template must be .* at least 0.1 apart"):
        load_detector(file)


def test_files_that_are_no_card(tmp_path):
    file = tmp_path / "e.onnx"
    with pytest.raises(InputError, match=r"has no card e.toml beside it; make one: saccade card"):
        read_card(file, kind="embedder")
    for content in (b"kind = ", b"\xff\xfe", b"a = 1\na = 2"):
        (tmp_path / "e.toml").write_bytes(content)
        with pytest.raises(InputError, match=r"e.toml is not valid TOML"):
            read_card(file, kind="embedder")
    write_card(file, DETECTOR_CARD)
    with pytest.raises(InputError, match='kind = "detector"; "embedder" is needed here'):
        read_card(file, kind="embedder")


def filled(text, **values):
    """The text of a first card with its "?" replaced."""
    for key, value in values.items():
        assert f'\n{key} = "?"\n' in text, key
        text = text.replace(f'\n{key} = "?"\n', f"\n{key} = {json.dumps(value)}\n")
    return text


ANSWERS = {
    "licence": "none",
    "source": "made",
    "colours": "rgb",
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
    "fit": "pad",
}


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_the_first_card_of_an_embedder(tmp_path, layout):
    made = first_card(write_embedder(tmp_path / "e.onnx", layout=layout))
    assert made.kind == "embedder" and made.outputs == {"vector": ("nx5", "vector")}
    unknown = {name.rpartition(".")[2] for name in made.unknown}
    assert unknown == set(ANSWERS)
    with pytest.raises(InputError, match=r'still "\?"'):
        parse_card(tomllib.loads(made.text), where="card")
    card = parse_card(tomllib.loads(filled(made.text, **ANSWERS)), where="card")
    assert (card.layout, card.size, card.dimension) == (layout, (8, 8), 5)


def test_the_first_card_of_a_detector(tmp_path):
    answers = {"s": [[0, 1]] * 3, "b": [[0, 0, 1, 1]] * 3, "m": [[0.5] * 10] * 3}
    names = {"s": "scores", "b": "boxes"}
    made = first_card(write_detector(tmp_path / "d.onnx", answers, outputs=names))
    assert {name: said for name, (_, said) in made.outputs.items()} == {
        "s": "scores",
        "b": "boxes",
        "m": "landmarks",
    }
    detector = {"object": 1, "coding": "corners", "units": "pixels", "template": "arcface"}
    text = filled(made.text, **ANSWERS, **detector)
    card = parse_card(tomllib.loads(text), where="card")
    assert (card.threshold, card.iou, card.object) == (0.5, 0.4, 1)
    for name, field in FIELDS.items():
        assert name.startswith(("embedder", "segmenter", "priors")) or f"# {field.text}\n" in text


def hostile(model):
    name = 'a"\n\x7f]\x1b[31m\u202e='
    model.graph.node[1].output[0] = name
    model.graph.output[0].name = name


def free_sides(model):
    model.graph.input[0].CopyFrom(port("pictures", ["n", 3, "h", "w"]))
    model.graph.output[0].CopyFrom(port("vector", ["n", "d"]))


def small(model):
    model.graph.input[0].CopyFrom(port("pictures", ["n", 3, 8, 3]))


def test_names_of_a_graph_are_quoted_in_its_card(tmp_path, capsys):
    file = changed(write_embedder(tmp_path / "e.onnx"), hostile)
    text = filled(first_card(file).text, **ANSWERS)
    name = 'a"\n\x7f]\x1b[31m\u202e='
    assert parse_card(tomllib.loads(text), where="card").outputs == {"vector": name}
    assert main(["card", str(file), "--force"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_what_the_shapes_do_not_tell_is_asked(tmp_path):
    file = changed(write_embedder(tmp_path / "e.onnx"), free_sides)
    with pytest.raises(InputError, match=r"vector nxn\) do not tell .*--kind"):
        first_card(file)
    made = first_card(file, kind="embedder")
    assert {"input.size", "embedder.dimension", "outputs.vector"} <= set(made.unknown)
    with pytest.raises(InputError, match="no kind of model 'embeder'; did you mean 'embedder'"):
        first_card(file, kind="embeder")
    made = first_card(changed(write_embedder(tmp_path / "e.onnx"), small))
    assert {"input.size", "input.layout"} <= set(made.unknown)


def test_the_command_writes_once_and_shows_what_is_open(tmp_path, capsys):
    file = write_embedder(tmp_path / "e.onnx")
    place = file.with_suffix(".toml")
    place.write_text("mine")
    assert main(["card", str(file)]) == 2
    assert place.read_text() == "mine" and "--force" in capsys.readouterr().err
    assert main(["card", str(file), "--force", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outputs"] == [{"name": "vector", "shape": "nx5", "meaning": "vector"}]
    assert tomllib.loads(place.read_text())["input"]["mean"] == "?"
    place.unlink()
    assert main(["card", str(file)]) == 0
    out = capsys.readouterr().out
    assert "kind: embedder" in out and "   input.mean: three numbers" in out
    (tmp_path / "bad.onnx").write_bytes(b"x" * 100)
    assert main(["card", str(tmp_path / "bad.onnx")]) == 2
    assert not (tmp_path / "bad.toml").exists()
    assert main(["card", str(place), "--force"]) == 2
    assert "must be called .onnx" in capsys.readouterr().err
