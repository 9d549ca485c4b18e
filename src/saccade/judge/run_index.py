"""Runs side by side: what each is, how well it does, and whether it ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from saccade.judge.plain import plain
from saccade.values import Interval

State = Literal["finished", "unfinished", "damaged"]
STATES: tuple[State, ...] = (
    "finished",
    "unfinished",
    "damaged",
)  # as they are listed, one after the other
LOWER_IS_BETTER = ("mae", "rmse", "squared ratio", "absolute ratio")


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run: ``name``, its path below the folder looked at; ``page``, its report, if it has one.

    ``figure`` names its ``score`` on what was held out; None where nothing was. ``reason`` says why
    it is damaged. ``opened``: how often the test part was. ``weights``: the numbers that the model
    is made of.
    """

    name: str
    state: State
    reason: str = ""
    page: Path | None = None
    task: str = ""
    data: str = ""
    begun: str = ""
    epochs: int | None = None
    backbone: str = ""
    figure: str = ""
    score: Interval | None = None
    opened: int = 0
    weights: int | None = None
    licence: str = ""

    @property
    def rank(self) -> float:
        """Rises with the score, also where a lower figure is the better one."""
        if self.score is None:
            return float("-inf")
        return -self.score.value if self.figure in LOWER_IS_BETTER else self.score.value


@dataclass(frozen=True, slots=True)
class RunIndex:
    """The runs found below ``folder``: those that ended, task by task, the best score first."""

    folder: Path
    runs: tuple[RunLine, ...]

    @classmethod
    def of(cls, folder: Path, runs: Iterable[RunLine]) -> "RunIndex":
        """Return the index of runs in any order."""
        return cls(folder, tuple(sorted(runs, key=_place)))

    def count(self, state: State) -> int:
        """How many runs are in ``state``."""
        return sum(run.state == state for run in self.runs)

    @property
    def sentence(self) -> str:
        """How many runs there are, and how they ended."""
        found = [f"{count:,} {state}" for state in STATES if (count := self.count(state))]
        return f"{len(self.runs):,} runs: {', '.join(found)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the index as plain values for JSON."""
        runs = []
        for run in self.runs:
            page = None if run.page is None else str(run.page)
            runs.append({**plain(run, but=("page",)), "page": page})
        return {"folder": str(self.folder), "runs": runs}


def _place(run: RunLine) -> tuple[int, str, str, float, str]:
    """By state and task; scores of one figure are compared, higher ones first."""
    return STATES.index(run.state), run.task, run.figure, -run.rank, run.name
