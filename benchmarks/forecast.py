"""The next two frames of shapes that bounce, beside repeating the last frame.

``recipes/bouncing.toml`` learns from 60 drawn sequences, once with each recurrent cell, one
thread; 60 sequences of another seed are judged. Told are the squared and the absolute error
divided by those of who repeats the last frame seen, with their intervals over the sequences.

With --small 2 epochs on 8 sequences.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _shared import run

import saccade
from saccade.data.bouncing import write_bouncing
from saccade.nn.recurrent import CELLS

RECIPE = Path(__file__).parent.parent / "recipes" / "bouncing.toml"
LEARNED_SEED, JUDGED_SEED, SEQUENCES = 20, 21, 60


def main(small: bool) -> dict[str, Any]:
    """Train with each cell; print its figures and return them."""
    many = 8 if small else SEQUENCES
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_bouncing(root / "learned", seed=LEARNED_SEED, parts={"train": many})
        write_bouncing(root / "judged", seed=JUDGED_SEED, parts={"val": many})
        for cell in CELLS:
            figures[cell] = trained(cell, root, small=small)
    return figures


def trained(cell: str, root: Path, *, small: bool) -> dict[str, Any]:
    """Train on ``root/learned``, judge on ``root/judged``; print and return the figures."""
    settings = {"forecast.cell": cell, "data.validation": 0.0, "train.threads": 1}
    settings |= {"train.epochs": 2} if small else {}
    begun = time.perf_counter()
    made = saccade.train(root / "learned", recipe=RECIPE, out=root / cell, settings=settings)
    seconds = time.perf_counter() - begun
    scores = saccade.evaluate(made.folder, root / "judged")
    print(f"{cell}: trained in {seconds:.0f} s")
    for name, figure in scores.headline:
        print(f"  {name:<17} {figure}")
    for line in (scores.basis, *scores.remarks):
        print(f"  {line}", flush=True)
    return {"seconds": seconds, **scores.to_dict()}


if __name__ == "__main__":
    run(main, __doc__ or "")
