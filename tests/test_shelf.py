"""A row of a shelf."""

from saccade.shelf import Entry


def test_a_part_gets_those_of_the_offered_settings_that_it_takes():
    entry = Entry(build=lambda *, slope, base=1: (slope, base), definition="a x", source="none")
    assert entry.make(slope=3, margin=4) == (3, 1)
    assert entry.make(slope=3, base=5) == (3, 5)
