"""Conditions on facts: the parser against a naive judge, and searches that heed them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.errors import InputError
from saccade.gallery import Gallery, narrowing
from saccade.gallery.where import condition
from saccade.values import Sample
from tests import coded
from tests.gallery_victim import TinyEmbedder, make_pictures, new_gallery
from tests.reference import conditions
from tests.reference import gallery as reference

DIMENSION = 16
KEYS = ["site", "year", "and", 'o"x', "a b"]
texts = st.sampled_from(["A", "B", "", "2020", "07", "7.5", "né", "in", "-3", "1e3", "2020 "])
numbers = st.sampled_from([Fraction(n, 2) for n in (-6, 0, 14, 15, 2000, 4040, 4041)])
keys = st.sampled_from(KEYS)
values = st.one_of(texts, numbers)
leaves = st.one_of(
    st.tuples(st.just("compare"), keys, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), values),
    st.tuples(st.just("in"), keys, st.lists(values, min_size=1, max_size=3)),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=80)
@given(tree=trees, facts=st.dictionaries(keys, texts.map(str.strip)))
def test_a_condition_is_judged_as_by_the_tables(tree, facts):
    assert condition(conditions.written(tree))(facts) is (conditions.judge(tree, facts) is True)


@pytest.mark.parametrize(
    ("text", "facts", "fits"),
    [
        ("a=1 or b=1 and c=1", {"a": "1"}, True),
        ("a=1 or b=1 and c=1", {"b": "1"}, False),
        ("not a=1 and b=1", {"a": "2", "b": "1"}, True),
        ("NOT a IN (1, 2)", {"a": "3"}, True),
        ("not a = 1", {}, False),
        ("a = 7", {"a": "7.0"}, True),
        ("a = '7'", {"a": "7.0"}, False),
        ("a > 9", {"a": "10"}, True),
        ("a > '9'", {"a": "10"}, False),
        ("day >= 2026-12-31", {"day": "2027-01-01"}, True),
        ("a = 0.1", {"a": "0.10"}, True),
        ("a = 12345678901234567890", {"a": "12345678901234567891"}, False),
        ("a < 1", {"a": "-1e99999999999999999999"}, False),
        ("a != 5", {"a": "five"}, False),
        (r'a = "x\"y"', {"a": 'x"y'}, True),
        ("a='(b)'and b=2", {"a": "(b)", "b": "2"}, True),
        ("cafe\u0301 = ne\u0301", {"caf\u00e9": "n\u00e9"}, True),  # written apart
        ("'cafe\u0301' in ('ne\u0301')", {"caf\u00e9": "n\u00e9"}, True),
        ("a < 1e999999999", {"a": "1e999"}, True),
        ("a = 1e999", {"a": "10e998"}, True),
        ("a = \u0664", {"a": "4"}, False),  # a digit of another script is a text
    ],
)
def test_precedence_numbers_and_quotes(text, facts, fits):
    assert condition(text)(facts) is fits


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("site=", "column 6: a value is wanted, at the caret: site=^"),
        ("a=1 b=2", "column 5: 'and' or 'or' is wanted, at the caret: a=1 ^b=2"),
        ("(a=1", "column 5: ')' is wanted, at the caret: (a=1^"),
        ("a ! 3", "column 3: '!' needs '=', at the caret: a ^! 3"),
        ("a= 'x", "column 4: a quote is not closed, at the caret: a= ^'x"),
        ("", "column 1: the name of a fact is wanted, at the caret: ^"),
        ("or = 2", "column 1: the name of a fact is wanted, at the caret: ^or = 2"),
        ("a in (1 2)", "column 9: ',' or ')' is wanted, at the caret: a in (1 ^2)"),
        ("a in 1", "column 6: '(' is wanted, at the caret: a in ^1"),
    ],
)
def test_a_fault_shows_its_place(text, shown):
    with pytest.raises(InputError) as raised:
        condition(text)
    assert str(raised.value) == f"condition, {shown}"


@settings(max_examples=60)
@given(text=st.text(alphabet="ab =!<>()'\",\\1.norid", max_size=30))
def test_any_text_is_a_condition_or_refused(text):
    try:
        fits = condition(text)
    except InputError:
        return
    assert fits({"a": "1", "b": "x"}) in (True, False)


def test_depth_and_length_are_bounded():
    with pytest.raises(InputError, match="50 levels"):
        condition("not " * 2000 + "a=1")
    with pytest.raises(InputError, match="10,000 characters"):
        condition("a=1 or " * 2000 + "a=1")


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        yield made


def fill(gallery, *, identities, each, seed=0):
    """Enrol identities whose facts are drawn; returns [(number, name, vector)] and the facts."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((identities * each, DIMENSION)).astype(np.float32)
    names = [f"p{row // each}" for row in range(len(vectors))]
    outcomes = gallery.enrol_vectors(vectors, names)
    facts = {}
    for name in sorted(set(names)):
        if rng.random() < 0.8:
            facts[name] = {"site": "AB"[rng.integers(2)], "year": str(rng.integers(2018, 2024))}
            gallery.describe(name, facts[name])
    rows = [
        (one.picture_id, name, vector)
        for one, name, vector in zip(outcomes, names, vectors, strict=True)
    ]
    return rows, facts


def assert_as_brute_force(gallery, rows, queries, k, where, **how):
    for query, found in zip(
        queries, gallery.find_vectors(queries, k, where=where, **how), strict=True
    ):
        wanted = reference.best_identities(rows, query, k)
        assert [(hit.picture_id, hit.identity) for hit in found.hits] == [
            (number, name) for _, number, name in wanted
        ]


CONDITIONS = ["site=A", "year>=2022 and not site=B", "site in (A, B)", "site=C", "year<2019"]


def test_a_narrowed_search_is_that_of_the_rows_that_fit(gallery):
    rows, facts = fill(gallery, identities=40, each=3)
    queries = np.random.default_rng(1).standard_normal((6, DIMENSION)).astype(np.float32)
    for text in CONDITIONS:
        fits = condition(text)
        mine = [row for row in rows if fits(facts.get(row[1], {}))]
        for exact in (False, True):
            assert_as_brute_force(gallery, mine, queries, 4, text, exact=exact)
        assert [info.name for info in gallery.identities(text)] == sorted({row[1] for row in mine})
    assert len(gallery.find_vectors(queries[:1], 50)[0].hits) == 40


@pytest.mark.parametrize("few", [0, narrowing.FEW_ROWS])
def test_a_narrowed_search_through_codes(gallery, monkeypatch, few):
    """By the codes' bitmap alone, and with the few rows that fit compared exactly."""
    monkeypatch.setattr(narrowing, "FEW_ROWS", few)
    rows, facts = fill(gallery, identities=40, each=4)
    with coded.tuner(coded.scanning(cells=8, probes=2)):
        gallery.index()
    assert gallery.stats().index == "scan"
    more, more_facts = fill_more(gallery)
    queries = np.random.default_rng(2).standard_normal((8, DIMENSION)).astype(np.float32)
    for text in CONDITIONS:
        fits = condition(text)
        mine = [row for row in rows + more if fits((facts | more_facts).get(row[1], {}))]
        assert_as_brute_force(gallery, mine, queries, 3, text)


def fill_more(gallery):
    vectors = np.random.default_rng(9).standard_normal((5, DIMENSION)).astype(np.float32)
    names = [f"new{row}" for row in range(5)]
    outcomes = gallery.enrol_vectors(vectors, names)
    facts = {name: {"site": "A", "year": "2023"} for name in names[:3]}
    for name, told in facts.items():
        gallery.describe(name, told)
    rows = [
        (one.picture_id, name, v) for one, name, v in zip(outcomes, names, vectors, strict=True)
    ]
    return rows, facts


def test_facts_of_pictures_come_before_those_of_the_identity(tmp_path):
    embedder = TinyEmbedder()
    samples = [
        Sample(one.path, one.label, metadata={"light": "day" if row % 2 else "night", "note": " "})
        for row, one in enumerate(make_pictures(tmp_path / "p", identities=4, each=2))
    ]
    with new_gallery(tmp_path / "g", embedder) as gallery:
        gallery.enrol(samples)
        name = samples[0].label
        gallery.describe(name, {"light": "dusk", "site": "A"})
        shown = gallery.show(name)
        assert [picture.facts for picture in shown.pictures] == [
            {"light": "night"},
            {"light": "day"},
        ]
        assert shown.facts == {"light": "dusk", "site": "A"}
        found = gallery.find([samples[0].path], k=9, where="light=day")[0]
        assert {hit.picture for hit in found.hits} == {one.path.name for one in samples[1::2]}
        assert not gallery.find([samples[0].path], where="light=dusk")[0].hits
        (info,) = gallery.identities("site=A and light=night")
        assert (info.name, info.pictures) == (name, 1)
        gallery.check()


def test_another_process_changes_a_fact(tmp_path, gallery):
    rows, _ = fill(gallery, identities=3, each=1)
    query = rows[0][2][None]
    gallery.describe("p0", {"site": "A"})
    assert gallery.find_vectors(query, 1, where="site=A")[0].hits[0].identity == "p0"
    with Gallery.open(gallery.folder) as other:
        other.describe("p0", {"site": "Z"})
    assert "p0" not in {h.identity for h in gallery.find_vectors(query, 5, where="site=A")[0].hits}
    with Gallery.open(gallery.folder) as other:
        other.forget("p0")
    assert not gallery.find_vectors(query, 5, where="site=Z")[0].hits
