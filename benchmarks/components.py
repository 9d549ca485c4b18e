"""Every activation, optimiser, normalisation and regulariser on one small network: Fashion-MNIST.

10,000 training pictures, 2,000 others to choose the epoch and an optimiser's learning rate, 10,000
test pictures answered at the end of each training; three seeds, which draw the first weights, the
batches and the 2,000. One thread. A figure is the mean over the seeds with its t interval (two
degrees of freedom: wide), seconds are processor time of one training. Each training that ended
stands in the JSON file, and is not done again: stop it and start it as you like.

``python benchmarks/components.py`` writes ``components.json`` here, and the table into
``docs/explanation/components.md``; with --small two epochs on 1,200 pictures, and only printed.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _shared import arguments, data_folder, machine
from scipy.stats import t as student

import saccade
from saccade.data.readers import find_parts, read_data
from saccade.errors import NotFiniteError
from saccade.files import write_atomic
from saccade.nn import ACTIVATIONS, LAYER_NORMALISATIONS
from saccade.optim import OPTIMISERS, REGULARISERS
from saccade.values import Sample, UInt8Array

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "explanation" / "components.md"
BEGIN, END = "<!-- components: begin -->", "<!-- components: end -->"
SEEDS = (0, 1, 2)
PICTURES, SMALL_PICTURES = 12_000, 1_200
EPOCHS = 3
STEPS = {"gd": 8, "lbfgs": 4, "newton": 2}  # of those that take all pictures for a step
BASE: dict[str, Any] = {
    "task": "classify",
    "data.size": "28x28",
    "data.validation": 1 / 6,
    "model.backbone": "lenet",
    "model.width": 6,
    "model.activation": "relu",
    "model.normalisation": "batch",
    **{f"augment.{name}": 0 for name in ("rotate", "scale", "shift", "brightness", "contrast")},
    "augment.erase": 0,
    "loss.smoothing": 0,
    "optim.lr": 0.003,
    "optim.weight_decay": 0,
    "train.epochs": EPOCHS,
    "train.batch_size": 128,
    "train.precision": "float32",
    "train.threads": 1,
}
# The middle one of three learning rates, the others a third of it and three times as much.
RATES = {
    "adadelta": 1.0,
    "adagrad": 0.03,
    "adam": 0.003,
    "adamw": 0.003,
    "asgd": 0.2,
    "gd": 0.5,
    "lbfgs": 1.0,
    "momentum": 0.03,
    "muon": 0.003,
    "nadam": 0.003,
    "nesterov": 0.03,
    "newton": 1.0,
    "rmsprop": 0.001,
    "sgd": 0.2,
}
STRENGTHS = {
    "dropout": {"model.dropout": 0.3},
    "early_stop": {"train.patience": 1},
    "l1": {"optim.l1": 1e-4},
    "max_norm": {"optim.max_norm": 3},
    "weight_decay": {"optim.weight_decay": 0.05},
}
CONSTANT = {"optim.schedule": "constant", "optim.warm_up": 0}
Changes = dict[str, Any]
Trials = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """A line of the table: a part by its name, and the settings to choose from, at least one."""

    shelf: str
    name: str
    choices: tuple[Changes, ...]
    base: bool = False


def rows() -> list[Row]:
    """Every row of the table; those of the base settings are trained once."""
    found = [
        Row("activation", name, ({} if name == "relu" else {"model.activation": name},))
        for name in ACTIVATIONS
    ]
    found += [Row("optimiser", name, rates_of(name)) for name in OPTIMISERS]
    found += [
        Row("normalisation", name, ({} if name == "batch" else {"model.normalisation": name},))
        for name in ("none", *LAYER_NORMALISATIONS)
    ]
    found.append(Row("regulariser", "none", ({},)))
    found += [Row("regulariser", name, (STRENGTHS[name],)) for name in REGULARISERS]
    bases = {"relu", "adamw", "batch"}
    return [
        Row(row.shelf, row.name, row.choices, base=row.name in bases or row.choices == ({},))
        for row in found
    ]


def rates_of(name: str) -> tuple[Changes, ...]:
    """The settings of an optimiser at each of its three learning rates."""
    own: Changes = {"optim.name": name}
    own |= CONSTANT if name in ("asgd", "lbfgs", "newton") else {}
    own |= {"train.epochs": STEPS[name]} if name in STEPS else {}
    rates = [float(f"{RATES[name] * share:.1g}") for share in (1 / 3, 1, 3)]
    choices = [own | {"optim.lr": rate} for rate in rates]
    base = BASE | {"optim.name": "adamw"}
    return tuple({k: v for k, v in each.items() if base.get(k) != v} for each in choices)


class Data:
    """The pictures, once in a file to learn from and once as (n, 1, 28, 28) to be judged on."""

    def __init__(self, folder: Path, *, pictures: int) -> None:
        parts = find_parts(data_folder("fashion_mnist"))
        self.file = folder / "fashion.npz"
        learn = read_data(parts["train"])[:pictures]
        np.savez(self.file, pictures=_stack(learn), labels=np.array([s.label for s in learn]))
        test = read_data(parts["test"])
        self.test = torch.from_numpy(_stack(test)[:, None])
        self.labels = [sample.label for sample in test]


def _stack(samples: list[Sample]) -> UInt8Array:
    return np.stack([sample.array for sample in samples])


def trial(data: Data, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Train once and judge on the test pictures; ``{"diverged": …}`` where that ends early."""
    training = saccade.Training(data.file, out=folder, settings=settings)
    begun = time.process_time()
    try:
        for _ in training.records():
            pass
    except NotFiniteError as error:
        return {"diverged": str(error)}
    seconds = time.process_time() - begun
    model = training.complete()
    answers = model.classify_prepared(data.test).argmax(axis=1)
    names = model.classes or ()
    right = [names[answer] == label for answer, label in zip(answers, data.labels, strict=True)]
    held = 0.0 if training.best is None else training.best.figure
    return {"test": float(np.mean(right)), "validation": held, "seconds": round(seconds, 2)}


def key_of(changes: Changes, seed: int) -> str:
    """The name of a training in the file: what differs from BASE, and the seed."""
    return " ".join([*(f"{name}={value}" for name, value in sorted(changes.items())), f"#{seed}"])


def wanted(row: Row, trials: Trials) -> Iterator[tuple[Changes, int]]:
    """The trainings of a row that the file lacks; the first seed chooses among its settings."""
    for seed in SEEDS:
        for changes in row.choices if seed == SEEDS[0] else (chosen(row, trials),):
            if key_of(changes, seed) not in trials:
                yield changes, seed


def chosen(row: Row, trials: Trials) -> Changes:
    """The settings with the best validation accuracy at the first seed."""
    figures = [trials[key_of(each, SEEDS[0])].get("validation", -1) for each in row.choices]
    return row.choices[figures.index(max(figures))]


@dataclass(frozen=True)
class Figure:
    """Test accuracy of a row: mean over the seeds, t interval, seconds of one training, rate."""

    row: Row
    mean: float
    low: float
    high: float
    seconds: float
    changes: Changes


def figure(row: Row, trials: Trials) -> Figure | None:
    """The figures of a row; None while trainings are missing, nan where one diverged."""
    if any(True for _ in wanted(row, trials)):
        return None
    changes = chosen(row, trials)
    found = [trials[key_of(changes, seed)] for seed in SEEDS]
    if any("diverged" in each for each in found):
        return Figure(row, math.nan, math.nan, math.nan, math.nan, changes)
    mean, low, high = t_interval([each["test"] for each in found])
    return Figure(row, mean, low, high, statistics.mean(e["seconds"] for e in found), changes)


def t_interval(values: list[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean, and its bounds by Student's t for independent values."""
    mean, n = statistics.mean(values), len(values)
    half = student.ppf((1 + level) / 2, n - 1) * statistics.stdev(values) / math.sqrt(n)
    return mean, mean - half, mean + half


def report(trials: Trials, described: str) -> str:
    """The tables in Markdown, best first, with what their intervals carry."""
    lines = [f"{described}; processor seconds of one training.", ""]
    for shelf in dict.fromkeys(row.shelf for row in rows()):
        every = [figure(row, trials) for row in rows() if row.shelf == shelf]
        own = [one for one in every if one is not None]
        if len(own) < len(every):
            lines += [f"### Each {shelf}", "", "Not measured to the end; run it again.", ""]
            continue
        own.sort(key=lambda one: -math.inf if math.isnan(one.mean) else -one.mean)
        head = "| test accuracy | 95 % interval | seconds |"
        lines += [f"### Each {shelf}", "", f"| {shelf} {head}", "|---|---|---|---|"]
        lines += [_line(one) for one in own]
        lines += ["", *_readings(own), ""]
    return "\n".join(lines)


def _line(one: Figure) -> str:
    name = f"`{one.row.name}`"
    if one.row.shelf == "optimiser":
        name += f", lr {one.changes.get('optim.lr', BASE['optim.lr']):g}"
        name += f", {STEPS[one.row.name]} steps" if one.row.name in STEPS else ""
    elif one.row.shelf == "regulariser" and one.changes:
        name += f", {', '.join(f'{key} {value}' for key, value in one.changes.items())}"
    if math.isnan(one.mean):
        return f"| {name} | diverged | | |"
    return f"| {name} | {one.mean:.3f} | {one.low:.3f} to {one.high:.3f} | {one.seconds:.1f} |"


def _readings(own: list[Figure]) -> list[str]:
    """Which rows have an interval wholly above or below that of the base."""
    base = next((one for one in own if one.row.base), None)
    if base is None:
        return []
    above = [f"`{one.row.name}`" for one in own if one.low > base.high]
    below = [f"`{one.row.name}`" for one in own if one.high < base.low]
    name = f"`{base.row.name}`"
    return [
        f"With an interval wholly above that of {name}: {', '.join(above) or 'none'}. "
        f"Wholly below: {', '.join(below) or 'none'}. The others cannot be told from {name} here."
    ]


def put_into(page: str, text: str) -> str:
    """Return ``page`` with ``text`` between its markers."""
    head, _, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE} lacks its markers {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{text.strip()}\n\n{END}{tail}"


def main(options: argparse.Namespace) -> None:
    """Do the trainings that are missing, writing the file after each; then the table."""
    file = options.json or HERE / "components.json"
    state = json.loads(file.read_text()) if file.exists() and not options.small else {"trials": {}}
    trials: Trials = state["trials"]
    short = {"train.epochs": 2} if options.small else {}
    with tempfile.TemporaryDirectory() as temporary:
        data = Data(Path(temporary), pictures=SMALL_PICTURES if options.small else PICTURES)
        for row in rows():
            for changes, seed in wanted(row, trials):
                settings = BASE | changes | short | {"train.seed": seed}
                place = Path(temporary) / f"run-{len(trials)}"
                trials[key_of(changes, seed)] = trial(data, settings, place)
                print(key_of(changes, seed), trials[key_of(changes, seed)], flush=True)
                if not options.small:
                    write_atomic(file, json.dumps({"trials": trials}, indent=1) + "\n")
    text = report(trials, f"{time.strftime('%Y-%m-%d')}, {machine()}, one thread")
    print(text)
    if not options.small:
        write_atomic(PAGE, put_into(PAGE.read_text(), text))


if __name__ == "__main__":
    main(arguments(__doc__.splitlines()[0]).parse_args())
