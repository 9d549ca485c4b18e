"""Look-up with "did you mean"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.errors import InputError, UnknownNameError
from saccade.names import look_up, suggest

WORDS = st.text("abcdefgh_", min_size=1, max_size=12)


@given(st.dictionaries(WORDS, st.integers(), min_size=1), st.data())
def test_every_name_in_the_table_is_found(table, data):
    name = data.draw(st.sampled_from(sorted(table)))
    assert look_up(table, name, "loss") == table[name]


@given(st.dictionaries(WORDS, st.integers()), WORDS)
def test_every_other_name_is_refused_in_one_line(table, name):
    table.pop(name, None)
    with pytest.raises(UnknownNameError) as caught:
        look_up(table, name, "loss")
    assert str(caught.value) == f"there is no loss '{name}'; {suggest(name, table)}"


@pytest.mark.parametrize(
    ("name", "allowed", "said"),
    [
        ("arcfase", ["triplet", "arcface"], "did you mean 'arcface'?"),
        ("tripletts", ["triplet", "arcface"], "did you mean 'triplet'?"),
        ("zzz", ["triplet", "arcface"], "known: arcface, triplet"),
        ("zzz", [], "there are none"),
        ("zzz", [f"name{n:02}" for n in range(12)], "name10, name11"),
        ("zzz", [f"name{n:02}" for n in range(13)], "name10, name11, …"),
    ],
)
def test_suggestions(name, allowed, said):
    assert suggest(name, allowed).endswith(said)


def test_an_unknown_name_is_an_input_error():
    assert issubclass(UnknownNameError, InputError)
