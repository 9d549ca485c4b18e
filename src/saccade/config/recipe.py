"""A recipe from and to TOML, and its settings by name, each with what is allowed."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from saccade.config.sections import Recipe
from saccade.config.setting import AUTO
from saccade.errors import SettingError
from saccade.names import suggest


def read_recipe(path: Path | str, base: Recipe | None = None) -> Recipe:
    """Return ``base`` with the settings of a TOML file laid over it."""
    file = Path(path)
    if file.is_dir():
        raise SettingError(f"recipe {file} is a folder; name a TOML file")
    if not file.is_file():
        raise SettingError(f"recipe {file} does not exist; check the path")
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"recipe {file} is not valid TOML: {error}") from error
    return override(base or Recipe(), _flat(table), where=f"recipe {file}")


def override(recipe: Recipe, values: Iterable[tuple[str, Any]], *, where: str) -> Recipe:
    """Return ``recipe`` with ``(name, value)`` pairs laid over it; names as ``section.key``.

    A value may be text, as typed on a command line, or already of its type, as TOML gives it.
    Raises SettingError naming ``where`` for an unknown name or a value that is not allowed.
    """
    known = settings(recipe)
    for name, value in values:
        if name not in known:
            raise SettingError(f"{where}: there is no setting '{name}'; {suggest(name, known)}")
        checked = _check(f"{where}: {name}", value, known[name])
        section, _, key = name.rpartition(".")
        if section:
            checked, key = replace(getattr(recipe, section), **{key: checked}), section
        recipe = replace(recipe, **{key: checked})
    return recipe


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its value and what is allowed."""

    name: str
    value: Any
    text: str
    low: float | None
    high: float | None
    choices: tuple[Any, ...]
    auto: bool

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.low is None and self.high is None:
            return ""
        limits = f"at least {self.low}" if self.high is None else f"{self.low} to {self.high}"
        return f"{AUTO} or {limits}" if self.auto else limits


def settings(recipe: Recipe | None = None) -> dict[str, Setting]:
    """Return every setting by its full name, with its value in ``recipe`` (else the default)."""
    found: dict[str, Setting] = {}
    owner = recipe or Recipe()
    for entry in fields(owner):
        value = getattr(owner, entry.name)
        if entry.metadata:
            found[entry.name] = Setting(entry.name, value, **entry.metadata)
            continue
        for inner in fields(value):
            name = f"{entry.name}.{inner.name}"
            found[name] = Setting(name, getattr(value, inner.name), **inner.metadata)
    return found


def to_toml(recipe: Recipe) -> str:
    """Return the recipe as TOML text that ``read_recipe`` reads back to the same values."""
    lines: list[str] = []
    section = ""
    for name, entry in settings(recipe).items():
        head, _, key = name.rpartition(".")
        if head != section:
            lines += ["", f"[{head}]"]
            section = head
        lines.append(f"{key} = {_literal(entry.value)}")
    return "\n".join(lines) + "\n"


def parse_size(text: str, *, where: str = "data.size") -> tuple[int, int] | None:
    """Return (height, width) from "56x48", None for "auto"; ``where`` begins the error's text."""
    if text == AUTO:
        return None
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise SettingError(f"{where} must be auto or HEIGHTxWIDTH as 56x48. Got '{text}' instead")
    if max(len(height), len(width)) > 4 or not all(8 <= int(s) <= 1024 for s in (height, width)):
        raise SettingError(f"{where}: each side must be 8 to 1024 pixels. Got '{text}' instead")
    return int(height), int(width)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _check(where: str, value: Any, entry: Setting) -> Any:
    if entry.auto and value == AUTO:
        return AUTO
    kind = float if entry.auto else type(entry.value)
    converted = _convert(value, kind)
    if converted is None:
        wanted = f"{AUTO} or {_KINDS[kind]}" if entry.auto else _KINDS[kind]
        raise SettingError(f"{where} must be {wanted}. Got '{value}' instead")
    too_low = entry.low is not None and not converted >= entry.low
    too_high = entry.high is not None and not converted <= entry.high
    if too_low or too_high or (entry.choices and converted not in entry.choices):
        raise SettingError(f"{where} must be {entry.allowed}. Got '{value}' instead")
    if entry.name == "data.size":
        parse_size(converted, where=where)
    return converted


def _convert(value: Any, kind: type) -> Any:
    """Return ``value`` as ``kind``, or None when it is not one."""
    if kind is bool:
        return _BOOLEANS.get(str(value).lower())
    if isinstance(value, bool):
        return None
    if kind is str:
        return value if isinstance(value, str) else None
    try:
        if kind is float:
            return float(value)
        return int(value) if isinstance(value, str) or value == int(value) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON escapes as TOML does, but for the delete character, which only TOML forbids.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


_BOOLEANS = {"true": True, "false": False}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
