"""Commands about the installation: info, completion."""

from typing import Annotated, Literal

from cyclopts import Parameter

from saccade.cli.output import say, say_json, table


def info(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Tell the versions, the processor, and what training would use of it.

    Parameters
    ----------
    json
        Print one JSON document instead of text.
    """
    from saccade.api.info import DATA_VARIABLE
    from saccade.api.info import info as look

    found = look()
    if json:
        say_json(found)
        return 0
    rows = [*found.versions.items(), ("python", found.python), ("system", found.system)]
    rows += [
        ("processor", f"{found.processor}, {found.instructions}"),
        ("cores", f"{found.cores}, usable {found.usable_cores}"),
        ("threads", str(found.threads)),
        ("bfloat16", ", ".join(found.bfloat16_instructions) or "no instructions"),
        ("precision auto", f"{found.precision}{_MEASURED if found.bfloat16_instructions else ''}"),
        (DATA_VARIABLE, found.data or "not set"),
    ]
    table(rows)
    return 0


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the script that lets a shell complete commands and options.

    Parameters
    ----------
    shell
        The shell: bash, zsh or fish.
    """
    from saccade.cli.app import build_app

    say(build_app().generate_completion(shell=shell).rstrip())
    return 0


_MEASURED = " if it measures faster"
COMMANDS = {"info": info, "completion": completion}
