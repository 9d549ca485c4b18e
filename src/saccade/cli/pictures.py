"""``saccade find`` with a detector: photos, videos and cameras, their boxes with names."""

import json as json_module
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.output import bar, say, shown, tell
from saccade.errors import InputError
from saccade.values import UNKNOWN

if TYPE_CHECKING:
    from saccade.api.pictures import FrameNames
    from saccade.gallery import Gallery
    from saccade.pictures.photo import Named, Names
    from saccade.values import Detector


@dataclass(frozen=True, slots=True)
class Options:
    """What ``find`` is told of photos and videos: see its flags."""

    detector: Path
    painted: Path | None
    every: int
    webcam: str | None
    top: int
    any_quality: bool
    exact: bool
    where: str | None


def find(
    gallery: Path,
    pictures: Sequence[Path],
    options: Options,
    *,
    embedder: str | None,
    json: bool,
) -> int:
    """Name what photos show, or the frames of one video or camera; 1 when none is known."""
    from saccade.pictures.video import is_video

    moving = [item for item in pictures if is_video(item)]
    if options.webcam is not None and pictures:
        raise InputError("--webcam stands alone; leave the pictures out")
    if len(moving) > 1 or (moving and len(pictures) > 1):
        raise InputError("one video at a time, and no picture beside it")
    if moving or options.webcam is not None:
        return _find_in_video(gallery, moving[0] if moving else None, options, embedder)
    if options.every != 1:
        raise InputError("--every is for a video; leave it out for photos")
    return _find_in_photos(gallery, pictures, options, embedder, json=json)


def warn_of_detector(gallery: "Gallery", detector: "Detector") -> None:
    """Say in a line on the error stream that this is not the detector of the gallery's crops."""
    from saccade.api.pictures import other_detector

    line = other_detector(gallery, detector)
    if line:
        print(f"saccade: warning: {shown(line)}", file=sys.stderr, flush=True)


def _find_in_photos(
    gallery: Path, photos: Sequence[Path], options: Options, embedder: str | None, *, json: bool
) -> int:
    from saccade.api.gallery import Gallery
    from saccade.api.pictures import find_in_photos, open_detector
    from saccade.data.pictures import find_pictures, read_picture
    from saccade.pictures.paint import painted, painted_places, write_painted

    paths = [found for item in photos for found in find_pictures(item)]
    finder = open_detector(options.detector)
    targets = [] if options.painted is None else painted_places(paths, options.painted)
    answers: list[Names] = []
    with Gallery.open(gallery, embedder=embedder) as opened:
        warn_of_detector(opened, finder)
        finding = find_in_photos(
            opened,
            paths,
            detector=finder,
            top=options.top,
            any_quality=options.any_quality,
            exact=options.exact,
            where=options.where,
        )
        for names in bar(finding, total=len(paths), what="searching", quiet=json):
            if targets and not names.reason:
                photo = read_picture(paths[len(answers)])
                write_painted(painted(photo, names), targets[len(answers)])
            answers.append(names)
    told = [_answer(one, targets[row] if targets else None) for row, one in enumerate(answers)]
    tell(told, [line for one in answers for line in _lines(one)], json=json)
    if targets and not json:
        say(f"painted: {sum(not one.reason for one in answers)} in {shown(str(options.painted))}")
    broken = [one.reason for one in answers if one.reason]
    if broken:
        raise InputError(f"{len(broken)} of {len(answers)} photos have no answer: {broken[0]}")
    return 0 if any(one.known for one in answers) else 1


def _find_in_video(
    gallery: Path, video: Path | None, options: Options, embedder: str | None
) -> int:
    from saccade.api.gallery import Gallery
    from saccade.api.pictures import find_in_video, open_detector
    from saccade.pictures.paint import painted
    from saccade.pictures.video import PaintedVideo

    known = False
    finder = open_detector(options.detector)
    with ExitStack() as stack:
        opened = stack.enter_context(Gallery.open(gallery, embedder=embedder))
        warn_of_detector(opened, finder)
        frames = find_in_video(
            opened,
            video,
            detector=finder,
            camera=options.webcam,
            every=options.every,
            top=options.top,
            any_quality=options.any_quality,
            exact=options.exact,
            where=options.where,
        )
        writer = None
        if options.painted is not None:
            writer = stack.enter_context(PaintedVideo(options.painted))
        for found in frames:
            if writer is not None:
                writer.add(painted(found.frame.picture, found.names), found.frame.time_s)
            say(json_module.dumps(_frame(found)))
            known = known or found.names.known
    return 0 if known else 1


def _lines(names: "Names") -> Iterator[str]:
    """What a photo shows, for people: a line a box, and one a hit."""
    count = len(names.boxes)
    found = f"{count} found" if count else "nothing found"
    yield f"{shown(names.photo)}: {shown(names.reason) or found}"
    for line in names.left_out:
        yield f"   {line}"
    for number, box in enumerate(names.boxes, 1):
        notes = [] if box.aligned else ["not aligned"]
        notes += [shown(one) for one in (*(box.poor if box.searched else ()), box.note) if one]
        x, y, width, height = (round(side) for side in box.box)
        yield (
            f"   {number}. {shown(box.identity)}   box {x} {y} {width} {height}   "
            f"score {box.score:.2f}   {'; '.join(notes)}".rstrip()
        )
        for hit in box.hits:
            yield (
                f"      {hit.similarity:7.4f}  {shown(hit.identity)}   "
                f"(picture {shown(hit.picture)})"
            )


def _answer(names: "Names", painted: Path | None) -> dict[str, object]:
    """The same for a machine."""
    return {
        "photo": names.photo,
        "error": names.reason or None,
        "known": names.known,
        "threshold": names.threshold,
        "boxes": [_box(box) for box in names.boxes],
        "left_out": names.left_out,
        "painted": None if painted is None or names.reason else str(painted),
    }


def _box(box: "Named") -> dict[str, object]:
    return {
        "box": box.box,
        "score": box.score,
        "aligned": box.aligned,
        "quality": asdict(box.quality),
        "poor": box.poor,
        "searched": box.searched,
        "identity": _name(box),
        "similarity": None if box.match is None else box.match.similarity,
        "note": box.note or None,
        "hits": [asdict(hit) for hit in box.hits],
    }


def _frame(found: "FrameNames") -> dict[str, object]:
    """A frame for a machine; ``names`` are null for what was not searched."""
    boxes = found.names.boxes
    return {
        "frame": found.frame.number,
        "time": round(found.frame.time_s, 3),
        "boxes": [[round(side, 1) for side in box.box] for box in boxes],
        "scores": [round(box.score, 4) for box in boxes],
        "names": [_name(box) for box in boxes],
        "similarities": [
            None if box.match is None else round(box.match.similarity, 4) for box in boxes
        ],
    }


def _name(box: "Named") -> str | None:
    if not box.searched:
        return None
    return UNKNOWN if box.match is None else box.match.identity
