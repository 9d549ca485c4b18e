"""Commands about the installation: info, completion."""

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from saccade.cli.output import say, say_json, shown, table

if TYPE_CHECKING:
    from saccade.data.cache import CacheSize


def info(
    *,
    clear_cache: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell the versions, the processor, what training would use of it, and what the cache holds.

    Parameters
    ----------
    clear_cache
        Remove the decoded pictures that training keeps, and tell how much that was instead.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.info import DATA_VARIABLE
    from saccade.api.info import clear_cache as clear
    from saccade.api.info import info as look

    if clear_cache:
        removed = clear()
        if json:
            say_json({"removed": removed})
        else:
            say(f"removed: {_amount(removed)}")
        return 0
    found = look()
    if json:
        say_json(found)
        return 0
    rows = [*found.versions.items(), ("python", found.python), ("system", found.system)]
    rows += [
        ("processor", f"{found.processor}, {found.instructions}"),
        ("cores", f"{found.cores}, usable {found.usable_cores}"),
        ("threads", str(found.threads)),
        ("kernel of the scan", f"{found.kernel}, of {', '.join(found.kernels)}"),
        ("bfloat16", ", ".join(found.bfloat16_instructions) or "no instructions"),
        ("precision auto", f"{found.precision}{_MEASURED if found.bfloat16_instructions else ''}"),
        (DATA_VARIABLE, found.data or "not set"),
        ("cache", f"{_amount(found.cache)}, of {found.cache_budget:g} GiB allowed by data.cache"),
    ]
    table(rows)
    return 0


def _amount(size: "CacheSize") -> str:
    files = "1 file" if size.files == 1 else f"{size.files} files"
    return f"{shown(str(size.folder))}, {files}, {size.bytes / 2**20:.1f} MiB"


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
