"""``saccade cut PHOTOS OUT``: class folders of photos become class folders of crops."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saccade.cli.options import AnyQuality, Json, Largest
from saccade.cli.output import bar, say, say_json, shown
from saccade.errors import InputError


def cut(
    photos: Path,
    out: Path,
    /,
    *,
    detector: Annotated[Path, Parameter(help="It finds the boxes: an .onnx file or a run.")],
    size: Annotated[int, Parameter(help="Pixels of a crop's side.")] = 112,
    largest: Largest = False,
    any_quality: AnyQuality = False,
    json: Json = False,
) -> int:
    """Cut what photos show into class folders to train on; exit code 1 when some were left out.

    The crops are those that enrol --detector makes, so an embedder learns from what it is asked
    about.

    Parameters
    ----------
    photos
        Class folders of photos, or a CSV with a name for each.
    out
        Folder to make: a folder a class, a PNG a photo.
    """
    from saccade.api.cut import cut as cut_photos
    from saccade.data.readers import read_data

    total = len(read_data(photos))
    done = []
    cutting = cut_photos(
        photos, out, detector=detector, size=size, largest=largest, any_quality=any_quality
    )
    for item in bar(cutting, total=total, what="cutting", quiet=json):
        done.append(item)
        if item.reason and not json:
            say(f"left out   {shown(item.label)}   {shown(item.reason)}")
    left_out = [item.reason for item in done if item.reason]
    if len(left_out) == len(done):
        raise InputError(f"nothing was cut: {left_out[0]}")
    counts = {"cut": len(done) - len(left_out), "left_out": len(left_out)}
    if json:
        say_json({**counts, "out": out, "photos": done})
    else:
        labels = len({item.label for item in done if item.crop is not None})
        line = f"{counts['cut']} cut in {labels} classes, {counts['left_out']} left out"
        say(f"{line}: {shown(str(out))}")
    return 1 if left_out else 0


COMMANDS = {"cut": cut}
