"""``predict`` of a forecaster: the frames that follow those of a folder, as PNG files."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from saccade.data.pictures import picture_size_hw
from saccade.data.sequences import LAST_NUMBER, read_sequences
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.tasks.model import Model
from saccade.values import Forecast, Sample, UInt8Array


def write_next(
    model: Model,
    folders: Sequence[Path | str],
    *,
    frames: int | None,
    out: Path | str | None,
) -> list[Forecast]:
    """Write what follows in each sequence of ``folders``; returns which files, a sequence each.

    ``frames``: how many, else as many as were learned. One sequence is written into ``out``,
    several each into a folder of its name there; names go on counting where those of the frames
    given do. Raises InputError, with nothing written, for a folder that is no sequence, a frame
    that cannot be read, or a file that is there.
    """
    if out is None:
        raise SettingError("a forecaster answers with frames; name a folder for them with --out")
    if not folders:
        raise InputError("no folder is named; give folders of frames")
    seen, usual = model.window or (0, 0)
    wanted = usual if frames is None else frames
    if wanted < 1:
        raise SettingError(f"--frames must be 1 or more. Got {wanted} instead")
    sequences = [one for folder in folders for one in _divided(Path(folder), seen)]
    names = [one[0].label for one in sequences]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two sequences are called {double}; name them one at a time")
    root = Path(out)
    places = [
        _places(one, wanted, root if len(sequences) == 1 else root / one[0].label)
        for one in sequences
    ]
    _require_free(root, [place for several in places for place in several])
    said = [model.forecast(one, ahead=wanted) for one in sequences]
    found = []
    for one, files, pictures in zip(sequences, places, said, strict=True):
        size_hw = picture_size_hw(one[-1])
        files[0].parent.mkdir(parents=True, exist_ok=True)
        for file, picture in zip(files, pictures, strict=True):
            write_atomic(file, _png(picture, size_hw))
        found.append(Forecast(one[0].label, str(one[-1].path), tuple(map(str, files))))
    return found


def _divided(folder: Path, least: int) -> list[list[Sample]]:
    """The frames of each sequence in or below ``folder``."""
    found: dict[str, list[Sample]] = {}
    for sample in read_sequences(folder, least=least):
        found.setdefault(sample.label, []).append(sample)
    return list(found.values())


def _places(frames: Sequence[Sample], wanted: int, folder: Path) -> list[Path]:
    """Where the next frames go: names go on counting where those of ``frames`` count evenly."""
    one, last = (LAST_NUMBER.fullmatch(sample.path.stem) for sample in frames[-2:])
    if one is None or last is None or (one[1], one[3]) != (last[1], last[3]):
        return [folder / f"next_{place:03}.png" for place in range(1, wanted + 1)]
    step, digits = int(last[2]) - int(one[2]), len(last[2])
    numbers = (int(last[2]) + step * place for place in range(1, wanted + 1))
    return [folder / f"{last[1]}{str(number).zfill(digits)}{last[3]}.png" for number in numbers]


def _require_free(root: Path, files: Sequence[Path]) -> None:
    for place in (root, *root.parents):
        if place.is_file():
            raise InputError(f"{place} is a file; name a folder with --out")
    for file in files:
        if file.exists():
            raise InputError(f"{file} is there already; name another folder with --out")


def _png(picture: UInt8Array, size_hw: tuple[int, int]) -> bytes:
    """An RGB picture, brought to the height and width of the frames that were given."""
    image = Image.fromarray(picture)
    if (image.height, image.width) != size_hw:
        image = image.resize((size_hw[1], size_hw[0]), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
