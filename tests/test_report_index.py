"""``report``: the index of runs, with those that did not end and those that are damaged."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

import saccade
from saccade.api.report import DEPTH
from saccade.api.sealed import record_opening
from saccade.cli.app import main
from saccade.tasks.model import Model
from saccade.training.run import last_epoch

KNN = {"model.name": "knn", "data.size": "8x8"}
LINK = re.compile(r'<th scope="row"[^>]*><a href="([^"]*)"')


@pytest.fixture(scope="module")
def trained(class_folders, number_table, tmp_path_factory):
    """Runs of three kinds, one without a score among them."""
    root = tmp_path_factory.mktemp("runs")
    for name, k in (("near", 1), ("far #1 50%", 20)):
        settings = KNN | {"model.k": k}
        saccade.train(class_folders, task="classify", out=root / name, settings=settings)
    settings = KNN | {"data.validation": 0.0}
    saccade.train(class_folders, task="classify", out=root / "all", settings=settings)
    settings = {"train.epochs": 0, "data.target": "hue", "model.features": "pixels"}
    (root / "deep" / "er").mkdir(parents=True)
    saccade.train(number_table, task="regress", out=root / "deep" / "er" / "hue", settings=settings)
    return root


@pytest.fixture
def runs(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "runs")


def by_name(found):
    return {run.name: run for run in found.runs}


def test_every_run_is_found_with_what_its_card_says(runs):
    found = by_name(saccade.report_index(runs))
    assert set(found) == {"near", "far #1 50%", "all", "deep/er/hue"}
    card = json.loads((runs / "near" / "model.json").read_text())
    near = found["near"]
    assert vars_of(near.score) == vars_of(card["score"]["accuracy"]) and near.figure == "accuracy"
    assert (near.state, near.task, near.backbone) == ("finished", "classify", card["backbone"])
    assert near.licence == card["licence"] and near.data == Path(recorded(runs / "near")).name
    network = Model.load(runs / "deep" / "er" / "hue").network
    floating = [t for t in network.state_dict().values() if t.is_floating_point()]
    assert found["deep/er/hue"].weights == sum(t.numel() for t in floating)
    assert found["deep/er/hue"].figure == "r2"
    assert found["all"].score is None and found["all"].page is None


def vars_of(interval):
    if not isinstance(interval, dict):
        interval = {key: getattr(interval, key) for key in interval.__slots__}
    return {key: float(value) for key, value in interval.items()}


def recorded(run):
    return json.loads((run / "environment.json").read_text())["data"]


def test_the_best_of_a_task_is_first_and_what_has_no_score_last(runs):
    order = [run.name for run in saccade.report_index(runs).runs]
    assert order.index("near") < order.index("far #1 50%") and order[-1] == "deep/er/hue"
    assert order[:3] == ["all", "near", "far #1 50%"] or order[2] == "all"


def test_a_link_leads_from_the_page_to_the_report_wherever_the_page_lies(runs, tmp_path):
    (tmp_path / "else where").mkdir()
    for out in (None, tmp_path / "else where" / "i.html"):
        found = saccade.report_index(runs, out=out)
        place = out or runs / "index.html"
        links = LINK.findall(place.read_text())
        pages = {run.page.resolve() for run in found.runs if run.page}
        assert {(place.parent / unquote(link)).resolve() for link in links} == pages
        assert len(pages) == 3 and not any(re.search("[ #:]", link) for link in links)


def test_what_did_not_end_or_is_damaged_is_listed(runs):
    near = runs / "near"
    for name in ("stopped", "judging", "cut", "gone", "deep card", "odd"):
        shutil.copytree(near, runs / name)
    (runs / "stopped" / "model.json").unlink()
    shutil.rmtree(runs / "stopped" / "checkpoint", ignore_errors=True)
    (runs / "judging" / "checkpoint").mkdir(exist_ok=True)
    (runs / "judging" / "checkpoint" / "finished").unlink(missing_ok=True)
    weights = runs / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    (runs / "gone" / "model.safetensors").unlink()
    (runs / "deep card" / "model.json").write_text('{"format": ' + "[" * 100_000)
    (runs / "odd" / "history.jsonl").write_bytes(b'{"epoch": 4}\n[1]\n\xff{"ep')
    (runs / "odd" / "environment.json").write_text("[]")
    (runs / "odd" / "test_openings.jsonl").write_bytes(b"\xff\xfe\n")
    card = json.loads((near / "model.json").read_text())
    card["score"] = {
        "accuracy": {"value": 1e999, "low": 0, "high": 10**400, "n": 1},
        "f1": [],
        "on": 3,
    }
    (runs / "odd" / "model.json").write_text(json.dumps(card))
    found = by_name(saccade.report_index(runs))
    states = {name: run.state for name, run in found.items()}
    assert states["stopped"] == states["judging"] == "unfinished"
    assert states["cut"] == states["gone"] == states["deep card"] == "damaged"
    assert found["cut"].reason and found["gone"].reason and "deep" in found["deep card"].reason
    assert found["stopped"].task == "classify"
    odd = found["odd"]
    assert (odd.state, odd.epochs, odd.score, odd.opened) == ("finished", 4, None, 0)


def test_the_last_epoch_is_that_of_a_long_history(tmp_path):
    assert last_epoch(tmp_path) is None
    lines = [json.dumps({"epoch": 1 + n // 10, "loss": n}) for n in range(9000)]
    (tmp_path / "history.jsonl").write_text("\n".join(lines) + '\n{"epo')
    assert last_epoch(tmp_path) == 900


def test_openings_of_the_test_part_are_counted_and_warned_of(runs):
    assert "opened more than once" not in page_of(runs)
    for _ in range(2):
        record_opening(runs / "near", runs, pictures=3, score={})
    assert by_name(saccade.report_index(runs))["near"].opened == 2
    assert "opened more than once" in page_of(runs)


def page_of(runs):
    saccade.report_index(runs)
    return (runs / "index.html").read_text()


def test_depth_links_galleries_and_hidden_folders(runs, tmp_path):
    for parts in (("a", "b", "in"), ("a", "b", "c", "out"), (".hidden",), ("gallery", "model")):
        shutil.copytree(runs / "near", runs.joinpath(*parts))
    (runs / "gallery" / "gallery.db").write_text("")
    (runs / "loop").symlink_to(runs)
    assert DEPTH == 3
    names = set(by_name(saccade.report_index(runs)))
    assert "a/b/in" in names
    assert names.isdisjoint({"a/b/c/out", ".hidden", "gallery/model"})
    assert not any(name.startswith("loop") for name in names)
    assert [run.name for run in saccade.report_index(runs / "near", out=tmp_path / "o").runs] == [
        "near"
    ]


def test_the_command_prints_lines_and_json(runs, capsys):
    assert main(["report", str(runs)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 7 and said[0].split()[:3] == ["run", "task", "data"]
    assert said[-2] == "4 runs: 4 finished" and said[-1] == f"index: {runs / 'index.html'}"
    assert main(["report", str(runs), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["index"] == str(runs / "index.html") and len(told["runs"]) == 4
    assert {"name", "score", "page", "opened", "state"} <= told["runs"][0].keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("empty", "holds no run, down to 3 folders deep"),
        ("missing", "does not exist"),
        ("runs/near/model.json", "is a file"),
        ("runs --out missing/i.html", "must be a file in a folder that exists"),
        ("runs --out runs", "must be a file in a folder that exists"),
        ("runs --out i.png", "--out"),
        ("runs --otu i.html", "Did you mean --out?"),
    ],
)
def test_wrong_use_is_one_line(words, said, runs, monkeypatch, capsys):
    monkeypatch.chdir(runs.parent)
    Path("empty").mkdir()
    assert main(["report", *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (runs / "index.html").exists()
