"""Whether a choice helps: the figures against plain loops, and the command."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from saccade.cli.app import main
from saccade.errors import InputError
from saccade.judge import choices
from saccade.judge.choices import judge_choices, leave_one_out, without_mean
from tests.gallery_victim import make_pictures

DATA = os.environ.get("SACCADE_DATA")


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(identities, each, noise, seed=0, dimension=6):
    draw = np.random.default_rng(seed)
    centres = np.repeat(draw.standard_normal((identities, dimension)), each, axis=0)
    labels = [f"person {row // each}" for row in range(len(centres))]
    return unit(centres + noise * draw.standard_normal(centres.shape)), labels


def loops(vectors, labels, means, centred=False):
    """For each picture of an identity with others: its label, similarity to own, and to rivals."""
    answers, given = [], vectors.astype(np.float64)
    for row in range(len(labels)):
        vectors = given
        if centred:
            vectors = given - sum(given) / len(given)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vector, similarities = vectors[row], {}
        for name in sorted(set(labels)):
            others = [
                other
                for place, other in enumerate(vectors)
                if labels[place] == name and place != row
            ]
            if others:
                total = sum(others)
                mean = float(total @ vector / np.linalg.norm(total))
                similarities[name] = mean if means else max(float(o @ vector) for o in others)
        if labels[row] in similarities:
            own = similarities.pop(labels[row])
            answers.append((labels[row], own, max(similarities.values())))
    return answers


@pytest.mark.parametrize("means", [False, True])
def test_each_picture_among_the_others(means, monkeypatch):
    vectors, labels = clustered(5, 4, 1.0)
    labels[0] = "alone"  # a rival only
    order = np.random.default_rng(1).permutation(len(labels))
    vectors, labels = vectors[order], [labels[place] for place in order]
    for cells in (1, 50, 1 << 20):
        monkeypatch.setattr(choices, "BLOCK_CELLS", cells)
        found = leave_one_out(vectors, labels, means=means)
        wanted = loops(vectors, labels, means)
        assert found.identity == [name for name, _, _ in wanted]
        np.testing.assert_allclose(found.own, [own for _, own, _ in wanted], atol=1e-5)
        np.testing.assert_allclose(found.rival, [rival for _, _, rival in wanted], atol=1e-5)


def rates(answers, rate):
    """FNIR and threshold: a rival's similarity, above which the share ``rate`` of them lies."""
    rivals = sorted((rival for _, _, rival in answers), reverse=True)
    threshold = rivals[int(rate * len(rivals) + 1e-6)]
    missed = [not (own > rival and own > threshold) for _, own, rival in answers]
    return sum(missed) / len(missed), threshold


def test_the_figures_are_those_of_plain_loops():
    vectors, labels = clustered(12, 5, 1.1)
    other = unit(vectors + 0.2 * np.random.default_rng(5).standard_normal(vectors.shape))
    told = judge_choices(
        {"no": vectors, "yes": other},
        labels,
        templates="best",
        centred="no",
        mirrored="no",
        threshold=None,
    )
    runs = {
        "templates": (loops(vectors, labels, False), loops(vectors, labels, True)),
        "centred": (loops(vectors, labels, False), loops(vectors, labels, False, True)),
        "mirrored": (loops(vectors, labels, False), loops(other, labels, False)),
    }
    assert [one.choice for one in told] == list(runs)
    for one in told:
        assert (one.fpir, one.of_threshold, one.searches) == (0.1, False, 60)
        for figure, run in zip(("a", "b"), runs[one.choice], strict=True):
            right = np.mean([own > rival for _, own, rival in run])
            assert getattr(one.rank_1, figure).value == pytest.approx(right)
            assert getattr(one.fnir, figure).value == pytest.approx(rates(run, 0.1)[0])
        assert one.threshold == pytest.approx(rates(runs[one.choice][1], 0.1)[1], abs=1e-5)
        for pair in (one.rank_1, one.fnir):
            assert pair.difference.value == pytest.approx(pair.b.value - pair.a.value)
            assert pair.difference.low <= pair.difference.value <= pair.difference.high


def test_the_rate_is_that_of_the_threshold():
    vectors, labels = clustered(12, 5, 1.1)
    rivals = np.array([rival for _, _, rival in loops(vectors, labels, False)])
    limit = float(np.sort(rivals)[-9] - 1e-4)
    both = {"no": vectors, "yes": vectors}
    for threshold, rate in ((limit, 9 / 60), (-1.0, 0.1), (1.0, 0.1)):
        told = judge_choices(
            both, labels, templates="best", centred="no", mirrored="yes", threshold=threshold
        )
        assert told[0].fpir == pytest.approx(rate)
        assert told[0].of_threshold == (threshold == limit)
    # The same vectors: no difference, and an interval that says how little that tells.
    same = told[2]
    assert same.fnir.difference.value == same.rank_1.difference.value == 0.0
    assert same.fnir.difference.low < 0 < same.fnir.difference.high
    assert same.verdict == "not shown to help"


def test_many_noisy_pictures_are_better_by_their_mean():
    vectors, labels = clustered(60, 8, 1.5, dimension=24)
    told = tried(vectors, labels)
    assert told[0].verdict == "helps" and told[0].fnir.difference.high < 0
    back = unit(vectors + np.random.default_rng(2).standard_normal(vectors.shape))
    told = judge_choices(
        {"no": vectors, "yes": back},
        labels,
        templates="mean",
        centred="no",
        mirrored="no",
        threshold=None,
    )
    assert told[2].verdict == "hurts"


def test_without_what_all_pictures_share_they_tell_more():
    """A part that all share hides how far the rest of each picture reaches."""
    draw = np.random.default_rng(4)
    people = np.repeat(draw.standard_normal((60, 24)), 4, axis=0)
    noise = 0.8 * draw.standard_normal(people.shape)
    light = draw.uniform(0.2, 3, (len(people), 1))
    vectors = unit(light * (people + noise) + 6 * unit(draw.standard_normal((1, 24))))
    labels = [f"person {row // 4}" for row in range(len(people))]
    told = tried(vectors, labels)[1]
    assert (told.choice, told.value, told.verdict) == ("centred", "yes", "helps")
    assert told.rank_1.difference.low > 0


def test_a_mean_favours_nobody():
    """Noise under drawn labels: with and without the mean, as many are found by chance."""
    draw = np.random.default_rng(6)
    vectors = unit(draw.standard_normal((400, 32)) + 1)
    labels = [f"person {row % 80}" for row in range(400)]
    right = [leave_one_out(one, labels, means=False).right.mean()
             for one in (vectors, without_mean(vectors))]  # fmt: skip
    assert max(right) < 0.04  # 4 of 399 others are one's own


def tried(vectors, labels):
    return judge_choices(
        {"no": vectors, "yes": vectors},
        labels,
        templates="best",
        centred="no",
        mirrored="no",
        threshold=None,
    )


def test_the_difference_is_paired():
    """Its interval is that of draws of identities, each with thresholds of its own."""
    vectors, labels = clustered(40, 5, 1.1, dimension=12)
    told = tried(vectors, labels)[0]
    a, b = (loops(vectors, labels, means) for means in (False, True))
    draw = np.random.default_rng(7)
    gaps = []
    for _ in range(200):
        people = draw.integers(0, 40, 40)
        rows = [row for person in people for row in range(5 * person, 5 * person + 5)]
        gaps.append(
            rates([b[row] for row in rows], told.fpir)[0]
            - rates([a[row] for row in rows], told.fpir)[0]
        )
    half = (told.fnir.difference.high - told.fnir.difference.low) / 2
    assert half == pytest.approx(2.02 * np.std(gaps), rel=0.2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 6, "identit"),
        (["a", "a", "b", "c", "d", "e"], "two identities or more"),
        (["a", "a", "a", "b", "b", "b"], "6 searches are too few"),
    ],
)
def test_too_little_to_tell(labels, message):
    vectors = unit(np.random.default_rng(0).standard_normal((6, 4)))
    with pytest.raises(InputError, match=message):
        tried(vectors, labels)


def said(capsys, *words):
    code = main([str(word) for word in words])
    out, errors = capsys.readouterr()
    return code, out, errors


def test_the_command(tmp_path, capsys):
    folder = tmp_path / "g"
    main(["create", str(folder), "--embedder", "pixels", "--threshold", "0.8"])
    capsys.readouterr()
    assert said(capsys, "choose", folder) == (
        0,
        "templates: best\ncentred: no\nmirrored: no\n",
        "",
    )
    code, out, _ = said(capsys, "choose", folder, "templates=mean")
    assert code == 0 and out.startswith("templates: mean\n")
    assert "the threshold 0.8000 is dropped" in out
    answer = json.loads(said(capsys, "choose", folder, "--json")[1])
    assert answer == {
        "choices": {"templates": "mean", "centred": "no", "mirrored": "no"},
        "dropped": None,
    }
    assert "templates        mean" in said(capsys, "stats", folder)[1]
    for words, message in [
        (["templates"], "is no setting"),
        (["templates=best", "templates=mean"], "given twice"),
        (["templates=<script>"], "templates cannot be"),
        (["mirrored=yes"], "chosen when one is made"),
        (["templates=best", "--try", tmp_path], "--try changes nothing"),
        (["--try", tmp_path / "nowhere"], "nowhere"),
    ]:
        code, _, errors = said(capsys, "choose", folder, *words)
        assert code == 2 and message in errors and errors.count("\n") == 1, (words, errors)


def test_try_on_pictures(tmp_path, capsys):
    samples = make_pictures(tmp_path / "people", identities=5, each=5)
    folder = tmp_path / "g"
    main(["create", str(folder), "--embedder", "pixels"])
    samples[0].path.write_bytes(b"no picture")
    capsys.readouterr()
    words = ["choose", folder, "--try", tmp_path / "people", "--data.broken", "0.1"]
    code, out, _ = said(capsys, *words)
    assert code == 1  # Noise has no mean that would help.
    assert "24 searches of 5 identities" in out and samples[0].path.name in out
    assert "templates=mean instead of best: " in out and "mirrored=yes instead of no: " in out
    code, out, _ = said(capsys, *words, "--json")
    answer = json.loads(out)
    assert [one["choice"] for one in answer["tried"]] == ["templates", "centred", "mirrored"]
    assert len(answer["broken"]) == 1 and answer["tried"][0]["searches"] == 24
    assert said(capsys, "choose", folder)[1] == "templates: best\ncentred: no\nmirrored: no\n"


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="SACCADE_DATA does not name the folder of real data")
def test_faces(tmp_path, capsys):
    """Of plain pixels, the best of nine faces is much better than their mean."""
    folder = tmp_path / "g"
    main(["create", str(folder), "--embedder", "pixels"])
    capsys.readouterr()
    _, out, _ = said(capsys, "choose", folder, "--try", Path(DATA) / "faces_orl", "--json")
    templates, centred, mirrored = json.loads(out)["tried"]
    assert templates["verdict"] == "hurts" and templates["rank_1"]["a"]["value"] > 0.95
    assert mirrored["verdict"] == "not shown to help"
    assert centred["verdict"] == "not shown to help"
