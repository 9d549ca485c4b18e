"""Photos and videos of people or other objects: found by a detector, named by a gallery."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saccade.data.pictures import read_picture, several
from saccade.errors import InputError, PictureError
from saccade.gallery import Enrolled, Gallery
from saccade.gallery.answers import SKIPPED
from saccade.pictures.photo import Names, names_in, the_one
from saccade.pictures.video import Frame, frames_of, frames_of_camera
from saccade.values import Detector, Sample


@dataclass(frozen=True, slots=True, eq=False)
class FrameNames:
    """A frame of a video and what it shows."""

    frame: Frame
    names: Names


def find_in_photos(
    gallery: Gallery,
    photos: Sequence[Path | str | Sample],
    *,
    detector: Detector | Path | str,
    top: int = 5,
    any_quality: bool = False,
) -> Iterator[Names]:
    """Yield for each photo its boxes with their names, in order; no name twice in a photo.

    ``detector``: an object, or an .onnx file with its card. ``top``: hits told for each box. What
    is too small, blurred, dark or does not fit is told and not searched, unless ``any_quality``. A
    photo that cannot be read gets its reason and no box. Raises InputError, naming the photo, for
    a detector's answer that is none.
    """
    _require_top(top)
    finder = _detector(detector)
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
) -> Iterator[FrameNames]:
    """Yield every ``every``-th frame of a video file, or of a ``camera``, with its names.

    ``camera`` is its number, or on Windows its name; then there is no end. The rest as for
    ``find_in_photos``. Needs the extra ``video``. Raises InputError for a video that is missing,
    empty, damaged or breaks off, and for a camera that is not there.
    """
    _require_top(top)
    if every < 1:
        raise InputError(f"every n-th frame: n must be at least 1. Got {every} instead")
    if (video is None) == (camera is None):
        raise InputError("name either a video or a camera")
    finder = _detector(detector)
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
    reason. ``expires`` as of ``Gallery.enrolling``.
    """
    finder = _detector(detector)
    for sample in samples:
        try:
            photo = read_picture(sample)
        except PictureError as error:
            yield Enrolled(sample.label, _shown(sample), None, SKIPPED, str(error))
            continue
        try:
            seen = the_one(photo, detector=finder, largest=largest, any_quality=any_quality)
        except InputError as error:
            reason = f"{_shown(sample)}: {error}"
            yield Enrolled(sample.label, _shown(sample), None, SKIPPED, reason)
            continue
        found = Sample(sample.path, sample.label, array=seen.crop, metadata=sample.metadata)
        yield from gallery.enrolling([found], expires=expires)


def _detector(detector: Detector | Path | str) -> Detector:
    if not isinstance(detector, str | Path):
        return detector
    from saccade.exchange import load_detector

    return load_detector(Path(detector))


def _shown(source: Path | Sample) -> str:
    return str(source.path if isinstance(source, Sample) else source)


def _require_top(top: int) -> None:
    if top < 1:
        raise InputError(f"top must be at least 1. Got {top} instead")
