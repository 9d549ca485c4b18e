"""The command that chooses settings by cross-validation: tune."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.learn import Words, data_and_settings
from saccade.cli.options import Json
from saccade.cli.output import bar, say, say_json, shown, table
from saccade.errors import SettingError

if TYPE_CHECKING:
    from saccade.api.tune import Tuning
    from saccade.judge.tuning import Tuned

TUNE_FLAGS = ("vary", "folds", "groups", "task", "recipe", "out", "resume", "json")


def tune(
    *words: Words,
    vary: Annotated[list[str] | None, Parameter(negative="")] = None,
    folds: int = 5,
    groups: str | None = None,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    json: Json = False,
) -> int:
    """Choose settings by cross-validation; others can be given as --section.key value.

    Parameters
    ----------
    words
        DATA, as for train, and settings that stay; the part test is never read. With --resume, DATA
        only if it moved.
    vary
        SETTING=VALUE,VALUE,…; once for each setting, every combination is judged.
    folds
        Into how many parts the pictures are dealt; each is left out of learning once.
    groups
        Column of a CSV table; pictures of one value stay in one fold.
    task
        What is learned: embed (the default) or classify.
    recipe
        TOML file with settings; docs/reference/settings.md lists them all.
    out
        Folder to make, for the scores and the report; else the next free one below runs/.
    resume
        Folder of a tune that was stopped; it goes on with the fold it was in.
    """
    given, values = data_and_settings(
        words, command="tune", flags=TUNE_FLAGS, resumes=resume is not None
    )
    from saccade.api.repeated import how_to_go_on
    from saccade.api.tune import Tuning

    tuning = Tuning(
        given,
        vary=grid(vary or ()),
        folds=folds,
        groups=groups,
        task=task,
        recipe=recipe,
        out=out,
        settings=values,
        resume=resume,
    )
    try:
        _follow(tuning, quiet=json)
        found = tuning.finish()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how_to_go_on(tuning.folder, "tune")) from None
    if json:
        say_json(found.to_dict())
    else:
        _print_tuned(found)
    return 0 if found.best else 1


def grid(vary: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each setting from words as "optim.lr=0.001,0.003"."""
    found: dict[str, list[str]] = {}
    for word in vary:
        name, equals, values = word.partition("=")
        if not equals:
            raise SettingError(
                f"--vary must be SETTING=VALUE,VALUE as optim.lr=0.001,0.003. Got '{word}' instead"
            )
        if name in found:
            raise SettingError(f"--vary {name} stands twice; give all its values at once")
        found[name] = values.split(",")
    return found


def _follow(tuning: "Tuning", *, quiet: bool) -> None:
    """Learn and judge, telling of each fold."""
    from saccade.judge.tuning_report import named

    figure, count = tuning.judging.figure, len(tuning.folds)
    for one in bar(tuning.scores(), total=tuning.steps, what="tuning", quiet=quiet):
        if not quiet:
            choice = shown(named(tuning.choices[one.trial]))
            say(f"{choice}   fold {one.fold + 1} of {count}   {figure} {one.score:.4f}")


def _print_tuned(found: "Tuned") -> None:
    from saccade.judge.tuning_report import figure_rows, verdict

    say()
    table([tuple(shown(cell) for cell in row) for row in figure_rows(found)])
    say(shown(verdict(found)))
    say("  95 % intervals over the folds, corrected for the pictures they share in training")
    say(f"report: {shown(str(found.folder / 'report.html'))}")


COMMANDS = {"tune": tune}
