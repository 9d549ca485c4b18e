"""The one-shot protocol and the judgement of an embedder."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.data.folders import read_class_folders
from saccade.data.pictures import read_picture, resize
from saccade.errors import InputError, SettingError
from saccade.judge.embedding import judge_embedding
from saccade.judge.protocol import one_shot
from saccade.values import Broken
from tests.reference import metrics as reference


def vectors_for(labels, seed=0, spread=0.7, d=12):
    rng = np.random.default_rng(seed)
    names = sorted(set(labels))
    centres = rng.normal(size=(len(names), d))
    rows = centres[[names.index(label) for label in labels]] + spread * rng.normal(
        size=(len(labels), d)
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


LABELS = st.lists(st.sampled_from("abcde"), min_size=3, max_size=20).filter(
    lambda labels: 1 < len(set(labels)) < len(labels)
)


@settings(deadline=None)
@given(LABELS, st.integers(0, 99), st.sampled_from([None, 1, 2, 3]))
def test_one_shot_equals_the_plain_loop(labels, seed, turns):
    vectors = vectors_for(labels, seed).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = one_shot(vectors, labels, turns=turns)
    most = max(labels.count(label) for label in labels)
    assert found.turns == min(most, turns or 10)
    expected = reference.one_shot(vectors @ vectors.T, labels, found.turns)
    assert [*zip(found.turn, found.query, found.rank, strict=True)] == expected
    table = vectors @ vectors.T
    for number, query in enumerate(found.query):
        assert labels[found.enrolled[number]] == labels[query] != labels[found.rival[number]]
        assert found.similarity[number] == pytest.approx(table[query, found.enrolled[number]])
        assert found.rival_similarity[number] == pytest.approx(table[query, found.rival[number]])
        assert (found.rank[number] == 1) == (
            found.similarity[number] > found.rival_similarity[number]
        )


def test_blocks_change_nothing(monkeypatch):
    labels = list("aabbbccccd")
    vectors = vectors_for(labels)
    whole = one_shot(vectors, labels)
    monkeypatch.setattr("saccade.judge.protocol.BLOCK_CELLS", 9)
    pieces = one_shot(vectors, labels)
    for name in ("turn", "query", "identity", "rank", "enrolled", "rival"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    split = whole.per_identity(whole.rank)
    assert len(split) == 3  # d has one picture: never searched
    for who, own in zip(whole.searched, split, strict=True):
        np.testing.assert_array_equal(own, whole.rank[whole.identity == who])


def test_every_picture_is_enrolled_in_turn_and_single_ones_distract():
    labels = ["a", "a", "a", "b"]
    found = one_shot(np.eye(4), labels)
    assert found.turns == 3
    assert [*zip(found.turn, found.query, found.enrolled, strict=True)] == [
        (0, 1, 0), (0, 2, 0), (1, 0, 1), (1, 2, 1), (2, 0, 2), (2, 1, 2),
    ]  # fmt: skip
    assert (found.rival == 3).all()
    assert (found.rank == 2).all()  # all similarities are 0: ties count against the query


@pytest.mark.parametrize("similarity", ["cosine", "negative_l2"])
def test_a_constant_embedder_earns_nothing(similarity):
    labels = [f"p{i % 7}" for i in range(42)]
    row = np.random.default_rng(0).normal(size=(1, 128))
    vectors = np.repeat(row / np.linalg.norm(row), 42, axis=0).astype(np.float32)
    scores = judge_embedding(vectors, labels, similarity=similarity, resamples=100)
    assert scores.rank_1.value == 0.0
    assert scores.auc.value == pytest.approx(0.5)


def test_negative_l2_ranks_as_cosine_does_on_unit_rows_and_takes_raw_pixels():
    labels = list("aaabbbccc")
    vectors = vectors_for(labels)
    cosine, distance = (one_shot(vectors, labels, similarity=s) for s in ("cosine", "negative_l2"))
    np.testing.assert_array_equal(cosine.rank, distance.rank)
    raw = one_shot(vectors * 1000 + 5000, labels, similarity="negative_l2")
    np.testing.assert_array_equal(raw.rank, cosine.rank)
    np.testing.assert_allclose(raw.similarity / 1000, distance.similarity, atol=1e-5)


def test_figures_agree_with_one_another_and_with_the_protocol():
    labels = [f"p{i % 9}" for i in range(54)]
    vectors = vectors_for(labels, 3, spread=1.3)
    scores = judge_embedding(vectors, labels, threshold=0.4, resamples=200)
    run = one_shot(vectors, labels)
    assert scores.rank_1.value == pytest.approx(np.mean(run.rank == 1))
    assert scores.rank_5.value == pytest.approx(np.mean(run.rank <= 5))
    assert scores.wrong_searches == (run.rank > 1).sum() > 0
    assert scores.searches == 54 * 6 - 9 * 6
    assert scores.cmc[-1].value == 1.0 and len(scores.cmc) == 9
    assert (np.diff([point.low for point in scores.cmc]) >= 0).all()
    assert (np.diff([point.low for point in scores.true_accept_rates]) >= 0).all()
    assert scores.false_accept_rate.value == pytest.approx(np.mean(scores.pairs.impostor >= 0.4))
    assert scores.equal_error_rate.low <= scores.equal_error_rate.value


def test_mistakes_are_real_one_a_picture_and_surest_first():
    labels = [f"p{i % 9}" for i in range(54)]
    vectors = vectors_for(labels, 3, spread=1.5)
    scores = judge_embedding(vectors, labels, resamples=100)
    assert 5 < len(scores.mistakes) <= 24
    assert len({one.query for one in scores.mistakes}) == len(scores.mistakes)
    sure = [one.wrong_similarity for one in scores.mistakes]
    assert sure == sorted(sure, reverse=True)
    for one in scores.mistakes:
        assert labels[one.query] == labels[one.right] != labels[one.wrong]
        assert one.wrong_similarity >= one.right_similarity
        assert one.wrong_similarity == pytest.approx(
            float(vectors[one.query] @ vectors[one.wrong]), abs=1e-5
        )


def test_a_better_embedder_scores_better_and_the_same_seed_the_same():
    labels = [f"p{i % 12}" for i in range(60)]
    good, bad = (
        judge_embedding(vectors_for(labels, 1, s), labels, resamples=100) for s in (0.3, 2)
    )
    assert good.rank_1.low > bad.rank_1.high
    assert good.auc.low > bad.auc.high
    assert good.equal_error_rate.high < bad.equal_error_rate.low
    again = judge_embedding(vectors_for(labels, 1, 0.3), labels, resamples=100)
    assert again.to_json() == good.to_json()


def test_json_holds_the_figures():
    labels = list("aabbcc")
    scores = judge_embedding(vectors_for(labels), labels, resamples=100)
    read = json.loads(scores.to_json())
    assert read["rank_1"]["value"] == scores.rank_1.value
    assert read["identities"] == 3 and read["pictures"] == 6
    assert read["threshold"] is None and read["false_accept_rate"] is None
    assert read["genuine_pairs"] == 3 and read["impostor_pairs"] == 12
    assert "pairs" not in read and "roc" not in read
    left_out = replace(scores, broken=(Broken("x.png", "x.png cannot be read"),))
    (broken,) = json.loads(left_out.to_json())["broken"]
    assert broken == {"picture": "x.png", "reason": "x.png cannot be read"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 4, "at least 2 identities"),
        (list("abcd"), "one picture"),
        (list("abc"), "4 vectors but 3 labels"),
    ],
)
def test_too_little_data_is_refused_with_the_remedy(labels, message):
    with pytest.raises(InputError, match=message):
        judge_embedding(np.eye(4, dtype=np.float32), labels)


def test_wrong_turns_are_refused():
    with pytest.raises(SettingError, match="got 0"):
        one_shot(np.eye(4), list("aabb"), turns=0)


DATA = os.environ.get("SACCADE_DATA")


@pytest.mark.skipif(not DATA, reason="SACCADE_DATA does not name a folder with faces_orl")
def test_raw_pixels_on_real_faces_score_between_chance_and_perfect():
    samples = read_class_folders(Path(DATA) / "faces_orl")
    rows = np.stack([resize(read_picture(s.path), (28, 23), 1).ravel() for s in samples])
    labels = [sample.label for sample in samples]
    scores = judge_embedding(
        rows.astype(np.float32), labels, similarity="negative_l2", resamples=200
    )
    assert (scores.pictures, scores.identities, scores.searches) == (400, 40, 3600)
    assert 0.6 < scores.rank_1.low < scores.rank_1.high < 0.8
    assert scores.rank_5.low > scores.rank_1.high
    assert 0.9 < scores.auc.value < 0.99
