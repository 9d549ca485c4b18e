"""``saccade stylize CONTENT STYLE --out F``: a picture in the style of others, or denoised."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from saccade.cli.options import Flag, Json
from saccade.cli.output import progress_bar, shown, tell
from saccade.errors import SettingError

if TYPE_CHECKING:
    from saccade.api.denoise import Denoised
    from saccade.api.stylize import Stylized

Number = TypeVar("Number", int, float)
TOLD = 10  # steps whose losses are printed, at most, besides the first


def stylize(
    content: Path,
    /,
    *styles: Path,
    out: Path,
    size: int | None = None,
    steps: int = 200,
    levels: int | None = None,
    content_weight: float = 1.0,
    style_weight: float = 5.0,
    smooth_weight: float = 2.0,
    mix: str = "",
    style_scale: float = 1.0,
    colours: str = "style",
    start: str = "noise",
    optimiser: str = "lbfgs",
    backbone: str | None = None,
    weights: str = "",
    strides: str = "",
    content_stride: int | None = None,
    every: int = 0,
    seed: int = 0,
    denoise: float | None = None,
    force: Flag = False,
    json: Json = False,
) -> int:
    """Paint what one picture shows in the style of others, or only take its noise away.

    Parameters
    ----------
    content
        Picture whose content is kept.
    styles
        Pictures whose style is taken; several are mixed.
    out
        Picture to write: .png, .jpg, .webp, .bmp, .ppm.
    size
        Pixels of the longer side; else the content's own, at most 512.
    steps
        Steps of descent, in all levels together.
    levels
        How often the picture is begun anew at double the size, from coarse to fine; else as many as
        leave 64 pixels.
    content_weight
        What it counts that the content is kept.
    style_weight
        What it counts that the style is met.
    smooth_weight
        What it counts that neighbouring pixels are alike.
    mix
        How much of each style, as 2,1; else all alike.
    style_scale
        Size of the strokes: above 1 larger ones, below 1 finer ones.
    colours
        Those of the picture: style, matched (the style's, turned to the content's) or luminance
        (the content's).
    start
        What is painted over: noise or content.
    optimiser
        What takes the steps: lbfgs or adam.
    backbone
        Network that pictures are seen with, such as timm/resnet18; else torchvision/squeezenet1_1.
    weights
        Its weights: a .safetensors file, hub, or a run's folder, which needs no --backbone; without
        any, features are untrained.
    strides
        Maps of the network that tell the style, by their strides, as 2,4,8,16; else all to 8.
    content_stride
        Map of the network that tells the content; else the coarsest to 8.
    every
        Write the picture after every so many steps, too, beside the last.
    seed
        Seed of the noise, and of untrained features.
    denoise
        Take away noise alone, by total variation; how much, such as 0.1. No style is needed.
    force
        Replace files that are there.
    """
    if denoise is not None:
        return _denoise(content, styles, out, denoise, force=force, json=json)
    from saccade.api.stylize import stylize as paint

    done = paint(
        content,
        styles,
        out=out,
        size=size,
        steps=steps,
        levels=levels,
        content_weight=content_weight,
        style_weight=style_weight,
        smooth_weight=smooth_weight,
        mix=_numbers(mix, float, "--mix needs numbers with commas, as 2,1"),
        style_scale=style_scale,
        colours=colours,
        start=start,
        optimiser=optimiser,
        backbone=backbone,
        weights=weights,
        strides=_numbers(strides, int, "--strides needs whole numbers with commas, as 4,8"),
        content_stride=content_stride,
        every=every,
        seed=seed,
        force=force,
        progress=progress_bar("painting", quiet=json),
    )
    tell(done.to_dict(), _lines(done), json=json)
    return 0


def _denoise(
    content: Path, styles: tuple[Path, ...], out: Path, weight: float, *, force: bool, json: bool
) -> int:
    if styles:
        raise SettingError("--denoise takes noise away and needs no style; name one picture")
    from saccade.api.denoise import denoise

    done = denoise(content, weight=weight, out=out, force=force)
    tell(done.to_dict(), _lines_of_denoised(done, weight), json=json)
    return 0


def _lines(done: "Stylized") -> Iterator[str]:
    yield f"features: {shown(done.features)}"
    if done.warning:
        yield f"warning: {done.warning}"
    yield "step     size      content     style    smooth     total"
    records = done.records
    every = -(-(len(records) - 1) // TOLD)
    for one in (*records[:-1:every], records[-1]):
        size = "x".join(map(str, one.size_hw))
        losses = (one.content, one.style, one.smooth, one.total)
        yield f"{one.step:4d}  {size:>9}  " + " ".join(f"{loss:9.5f}" for loss in losses)
    for place in done.on_the_way:
        yield f"on the way: {shown(str(place))}"
    yield f"picture: {shown(str(done.out))}"


def _lines_of_denoised(done: "Denoised", weight: float) -> Iterator[str]:
    yield f"total variation a pixel: {done.before:.5f}, now {done.after:.5f}"
    yield f"weight {weight:g}: within {done.gap:.2%} of the least after {done.steps} steps"
    yield f"picture: {shown(str(done.out))}"


def _numbers(words: str, kind: Callable[[str], Number], needs: str) -> list[Number]:
    try:
        return [kind(word) for word in words.split(",")] if words else []
    except ValueError:
        raise SettingError(f"{needs}. Got '{words}' instead") from None


COMMANDS = {"stylize": stylize}
