"""Photos and videos of people or other objects: found by a detector, named by a gallery."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saccade.data.pictures import read_picture, several
from saccade.errors import InputError, PictureError
from saccade.gallery import Enrolled, Gallery
from saccade.gallery.answers import SKIPPED
from saccade.gallery.crops import Cut
from saccade.gallery.enrol import BATCH_PICTURES
from saccade.gallery.unnamed import PREFIX, with_made_up_names
from saccade.gallery.where import condition
from saccade.pictures.crop import side_for
from saccade.pictures.photo import Names, all_from, cut_from, names_in
from saccade.pictures.video import Frame, frames_of, frames_of_camera
from saccade.values import Detector, Sample


@dataclass(frozen=True, slots=True, eq=False)
class FrameNames:
    """A frame of a video and what it shows."""

    frame: Frame
    names: Names


def open_detector(detector: Detector | Path | str) -> Detector:
    """Return a detector; an .onnx file with its card, or a run folder, is opened.

    Raises InputError when it is neither, or the run is no detector's.
    """
    if not isinstance(detector, str | Path):
        return detector
    if Path(detector).is_dir():
        from saccade.api.run_detector import RunDetector

        return RunDetector(detector)
    from saccade.exchange import load_detector

    return load_detector(Path(detector))


def other_detector(gallery: Gallery, detector: Detector) -> str:
    """Say that the gallery's crops were found by another detector than this; empty when not.

    The one that found the first enrolled crop is the gallery's.
    """
    if gallery.detector in (None, detector.fingerprint):
        return ""
    return (
        f"gallery {gallery.folder} has crops of detector {gallery.detector:.8}, and this is "
        f"{detector.fingerprint:.8} (its file or its card differs); crops of two are less alike: "
        "use the first one, or enrol the photos into a new gallery"
    )


def find_in_photos(
    gallery: Gallery,
    photos: Sequence[Path | str | Sample],
    *,
    detector: Detector | Path | str,
    top: int = 5,
    any_quality: bool = False,
    exact: bool = False,
    where: str | None = None,
) -> Iterator[Names]:
    """Yield for each photo its boxes with their names, in order; no name twice in a photo.

    ``detector``: as ``open_detector`` takes it. ``top``: hits told for each box. What
    is too small, blurred, dark or does not fit is told and not searched, unless ``any_quality``. A
    photo that cannot be read gets its reason and no box. ``exact`` and ``where`` as of
    ``Gallery.find_vectors``. Raises InputError, naming the photo, for a detector's answer that is
    none.
    """
    _require_search(top, where)
    finder = open_detector(detector)
    for source in several(photos):
        shown = _shown(source)
        try:
            photo = read_picture(source)
        except PictureError as error:
            yield Names(shown, reason=str(error))
            continue
        try:
            yield names_in(
                photo,
                detector=finder,
                gallery=gallery,
                shown=shown,
                top=top,
                any_quality=any_quality,
                exact=exact,
                where=where,
            )
        except InputError as error:
            raise InputError(f"{shown}: {error}") from error


def find_in_video(
    gallery: Gallery,
    video: Path | str | None = None,
    *,
    detector: Detector | Path | str,
    camera: str | None = None,
    every: int = 1,
    top: int = 1,
    any_quality: bool = False,
    exact: bool = False,
    where: str | None = None,
) -> Iterator[FrameNames]:
    """Yield every ``every``-th frame of a video file, or of a ``camera``, with its names.

    ``camera`` is its number, or on Windows its name; then there is no end. The rest as for
    ``find_in_photos``. Needs the extra ``video``. Raises InputError for a video that is missing,
    empty, damaged or breaks off, and for a camera that is not there.
    """
    _require_search(top, where)
    if every < 1:
        raise InputError(f"every n-th frame: n must be at least 1. Got {every} instead")
    if (video is None) == (camera is None):
        raise InputError("name either a video or a camera")
    finder = open_detector(detector)
    frames = (
        frames_of(Path(video), every=every)
        if video is not None
        else frames_of_camera(f"{camera}", every=every)
    )
    for frame in frames:
        names = names_in(
            frame.picture,
            detector=finder,
            gallery=gallery,
            shown=f"frame {frame.number}",
            top=top,
            any_quality=any_quality,
            exact=exact,
            where=where,
        )
        yield FrameNames(frame, names)


def enrol_photos(
    gallery: Gallery,
    samples: Iterable[Sample],
    *,
    detector: Detector | Path | str,
    largest: bool = False,
    any_quality: bool = False,
    expires: str | None = None,
) -> Iterator[Enrolled]:
    """Enrol what each photo shows under its label; yields what became of each, in order.

    A photo in which nothing is found, or several (unless ``largest``, which takes the box of the
    largest area), or something of poor quality (unless ``any_quality``) is "skipped" with the
    reason. A photo that was enrolled before changes nothing, whatever the size of its crop.
    ``expires`` as of ``Gallery.enrolling``. Raises InputError for a detector that is none.
    """
    finder, side = open_detector(detector), side_for(gallery.input_size_hw)

    def cuts() -> Iterator[Cut | Enrolled]:
        for sample in samples:
            try:
                yield cut_from(
                    sample, detector=finder, side=side, largest=largest, any_quality=any_quality
                )
            except InputError as error:
                yield Enrolled(sample.label, _shown(sample), None, SKIPPED, str(error))

    yield from _enrolled(gallery, cuts(), expires)


def enrol_unnamed_photos(
    gallery: Gallery,
    samples: Iterable[Sample],
    *,
    detector: Detector | Path | str,
    any_quality: bool = False,
) -> Iterator[Enrolled]:
    """Enrol everything that photos show, each box as an unnamed identity of its own.

    Yields what became of each box, in order, and of each photo that shows none; ``group`` then
    says which are one, never two boxes of one photo. Poor boxes are "skipped" with the reason
    (unless ``any_quality``). The same photo again changes nothing. Raises InputError for a detector
    that is none.
    """
    finder, side = open_detector(detector), side_for(gallery.input_size_hw)

    def cuts() -> Iterator[Cut | Enrolled]:
        for sample in samples:
            name, shown = f"{PREFIX}{sample.path.name}", _shown(sample)
            try:
                found, left_out = all_from(
                    sample, detector=finder, side=side, any_quality=any_quality
                )
            except InputError as error:
                found, left_out = [], [str(error)]
            else:
                left_out = [f"{shown}: {line}" for line in left_out]
            yield from with_made_up_names(found)
            for reason in left_out:
                yield Enrolled(name, shown, None, SKIPPED, reason)

    yield from _enrolled(gallery, cuts(), None)


def _enrolled(
    gallery: Gallery, cuts: Iterator[Cut | Enrolled], expires: str | None
) -> Iterator[Enrolled]:
    """Enrol crops in batches; what is told already passes through in its place."""
    while batch := list(itertools.islice(cuts, BATCH_PICTURES)):
        crops = (cut for cut in batch if isinstance(cut, Cut))
        enrolled = gallery.enrolling(crops, expires=expires)
        for cut in batch:
            yield next(enrolled) if isinstance(cut, Cut) else cut


def _shown(source: Path | Sample) -> str:
    return str(source.path if isinstance(source, Sample) else source)


def _require_search(top: int, where: str | None) -> None:
    """Raise InputError before the first photo is looked at, and not only when it shows somebody."""
    if top < 1:
        raise InputError(f"top must be at least 1. Got {top} instead")
    if where is not None:
        condition(where)
