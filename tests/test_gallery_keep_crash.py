"""Killed at each write of what keeps a gallery: all or nothing, and the forgotten are gone.

What a victim that was let live shows after each step is what the others may show: that after the
steps which were told, or after one more.
"""

import shutil

import numpy as np
import pytest

from saccade.api.gallery import Gallery
from saccade.data.pictures import read_picture
from saccade.values import Sample
from tests import coded, gallery_keep_victim
from tests.deaths import calls_of, killed
from tests.gallery_keep_victim import EMBEDDER, OTHER, STEPS, opened, take
from tests.gallery_victim import make_pictures
from tests.test_gallery_full_disk import state

MOST = 3  # deaths of each point, of those that are called more often
TAIL_BYTES = 40
MADE = {"copy": EMBEDDER, "again": OTHER}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a gallery, an archive and a stranger; and the bytes that tell of each name."""
    root = tmp_path_factory.mktemp("keep")
    traces = {}
    for place, count, prefix in (("g", 6, "p"), ("other", 2, "q")):
        made = make_pictures(root / f"{place}-pictures", identities=count, each=2, seed=count)
        samples = [
            Sample(one.path, f"{prefix}{number // 2}", metadata={"of": one.label})
            for number, one in enumerate(made)
        ]
        with Gallery.create(root / place, embedder=EMBEDDER, keep_originals=True) as gallery:
            gallery.enrol(samples)
            if place == "other":
                gallery.export(root / "archive.zip")
        for one in samples:
            mine = tell(one.path) | {one.metadata["of"].encode()}
            traces[one.label] = traces.get(one.label, set()) | mine
    (stranger,) = make_pictures(root / "strange", identities=1, each=1, seed=9)
    shutil.copy(stranger.path, root / "stranger.png")
    traces["stranger"] = tell(stranger.path)
    return root, traces


def tell(path):
    """Bytes that stand in a gallery only with this picture."""
    vector = EMBEDDER([read_picture(path)])[0].astype("<f2").tobytes()
    return {vector, path.name.encode(), path.read_bytes()[-TAIL_BYTES:]}


def gone_after(count):
    """Whose bytes and which secrets may stand nowhere below the gallery after so many steps."""
    done = STEPS[:count]
    gone = {
        who: at
        for who, at in {"p3": 5, "p1": 11, "p2": 11, "q0": 17, "stranger": 15}.items()
        if at <= count
    }
    told = [(step[1], step[2]["note"]) for step in done if step[0] == "describe"]
    held = {name: note for name, note in told if name not in gone}
    return set(gone), {note.encode() for _, note in told} - {one.encode() for one in held.values()}


@pytest.fixture(scope="module")
def lived(world):
    """The states after each number of steps, of the gallery and of what the last step made."""
    root, _ = world
    shutil.copytree(root / "g", root / "lived")
    states = [state(root / "lived")]
    for step in STEPS:
        with opened(root / "lived") as gallery:
            take(gallery, root / "lived", step)
        states.append(state(root / "lived"))
    return states


def spread(calls):
    """Deaths at every point, spread over its calls."""
    draw = np.random.default_rng(0)
    return [
        (number, ("before", "after")[draw.integers(2)], point)
        for point, count in calls.items()
        for number in sorted(draw.choice(count, min(MOST, count), replace=False) + 1)
    ]


@pytest.mark.slow
def test_killed_at_each_write(world, lived):
    root, traces = world
    words = [gallery_keep_victim.__file__, root]
    calls = calls_of(words, root / "g", gallery_keep_victim.POINTS)
    for at, line in enumerate(killed(words, root / "g", spread(calls))):
        count = len((root / f"{at}.told").read_text().splitlines())
        check(root / str(at), count, lived, traces, f"{line}, {STEPS[count]}")
        for left in (one for end in ("", ".*", "-*") for one in root.glob(f"{at}{end}")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def check(folder, count, lived, traces, line):
    assert nothing_of(folder, gone_after(count), traces) == [], line
    now = state(folder)
    assert now in lived[count : count + 2], line
    after = count + (now == lived[count + 1] != lived[count])
    assert nothing_of(folder, gone_after(after), traces) == [], line
    for made, embedder in MADE.items():
        copy = folder.with_name(f"{folder.name}-{made}")
        if copy.exists():
            with Gallery.open(copy, embedder=embedder) as gallery:
                gallery.check()
                at = [step[-1] for step in STEPS].index(made)
                named = [info.name for info in gallery.identities()]
            assert named == [name for name, _ in lived[at][1]], line
    with opened(folder) as gallery:
        assert gallery.forget("p0").status == "forgotten", line
        gallery.check()
    people, secrets = gone_after(after)
    secrets |= {step[2]["note"].encode() for step in STEPS if step[:2] == ("describe", "p0")}
    assert nothing_of(folder, (people | {"p0", "stranger"}, secrets), traces) == [], line


def nothing_of(folder, gone, traces):
    people, secrets = gone
    return coded.files_with(folder, secrets.union(*(traces[one] for one in people)))
