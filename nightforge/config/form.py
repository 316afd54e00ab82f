"""The form of the anomaly page, made from the schema, and the check of what was typed into it. Pure.

A setting exists here because it exists in the schema; nothing is listed by hand.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from nightforge.config.schema import Config, contradictions

SECTIONS = ("patchtst", "swinmae", "anomaly")

_TYPES = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}
_UNIT = re.compile(r", (Hz|rows|seconds|pixels)(?=$|[,;])")
_WHOLE = re.compile(r"[+-]?\d+")
_CODE = re.compile(r"`(\w+)`")
_WORDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a table of names and values",
}


@dataclass(frozen=True)
class FormField:
    """One setting as a page shows it; `type` is what the page builds, the bounds are the schema's."""

    key: str  # patchtst.training.lr
    section: str  # patchtst
    group: str  # patchtst.training
    name: str  # lr
    type: str  # number | integer | text | boolean | choice | list | map
    items: str | None  # of a list or map: the type of its values
    nullable: bool
    default: Any
    choices: list[str] | None
    minimum: float | None
    exclusive_minimum: bool
    maximum: float | None
    exclusive_maximum: bool
    unit: str | None
    meaning: str


@dataclass(frozen=True)
class FormGroup:
    """Settings that belong together: one object of the configuration."""

    id: str  # patchtst.training
    title: str
    fields: list[str]  # keys in the order of the schema


@dataclass(frozen=True)
class Checked:
    """What typed values mean: overrides that differ from the base, and every error with its fields."""

    overrides: dict[str, Any] = field(default_factory=dict)
    diff: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether a run can be started with these values."""
        return not self.errors


def form_fields() -> list[FormField]:
    """Return every setting of the three sections, in the order of the schema."""
    return [setting for _, setting in _settings()]


def form_groups() -> list[FormGroup]:
    """Return the groups of the form, in the order of the schema."""
    groups: dict[str, FormGroup] = {}
    for title, setting in _settings():
        group = groups.setdefault(setting.group, FormGroup(setting.group, title, []))
        group.fields.append(setting.key)
    return list(groups.values())


def flat(config: Config) -> dict[str, Any]:
    """Return key -> value of every setting of the form."""
    values = config.to_dict()
    return {setting.key: _look_up(values, setting.key) for setting in form_fields()}


def check_values(base: Config, values: dict[str, Any]) -> Checked:
    """Check typed values against the schema and each other; `base` is what a run would use without them."""
    fields = {setting.key: setting for setting in form_fields()}
    merged = base.to_dict()
    errors: list[dict[str, Any]] = []
    for key, value in values.items():
        if key not in fields:
            errors.append({"keys": [key], "message": _unknown(key, list(fields))})
            continue
        wanted = _read_number(fields[key], value)
        problem = _problem(key, wanted)
        if problem:
            errors.append({"keys": [key], "message": problem})
        else:
            _put(merged, key, wanted)
    config = msgspec.convert(merged, Config)
    before = set(contradictions(base))
    for text in contradictions(config):
        if text not in before:
            errors.append({"keys": _named(text, fields.values()), "message": text})
    old, new = flat(base), flat(config)
    changed = [key for key in fields if new[key] != old[key]]
    diff = [{"key": key, "base": old[key], "value": new[key]} for key in changed]
    return Checked({key: new[key] for key in changed}, diff, errors)


@cache
def _settings() -> tuple[tuple[str, FormField], ...]:
    return tuple(_walk())


def _walk() -> Iterator[tuple[str, FormField]]:
    """Yield each setting with the title of its group."""
    schema = msgspec.json.schema(Config)
    defaults = Config().to_dict()
    known = schema["$defs"]

    def inside(struct: dict[str, Any], path: str) -> Iterator[tuple[str, FormField]]:
        for name, entry in struct["properties"].items():
            key = f"{path}.{name}"
            reference = entry.get("$ref")
            if reference is not None:
                yield from inside(known[reference.rpartition("/")[2]], key)
            else:
                yield struct["description"], _field(key, entry, _look_up(defaults, key))

    for section in SECTIONS:
        reference = known["Config"]["properties"][section]["$ref"]
        yield from inside(known[reference.rpartition("/")[2]], section)


def _field(key: str, entry: dict[str, Any], default: Any) -> FormField:
    group, _, name = key.rpartition(".")
    options = entry.get("anyOf", [entry])
    kinds = [option for option in options if option.get("type") != "null"]
    kind = kinds[0]  # of "a list or one": the list
    meaning = entry.get("description", "")
    unit = _UNIT.search(meaning)
    lower, upper = kind.get("exclusiveMinimum"), kind.get("exclusiveMaximum")
    values = kind.get("items") or kind.get("additionalProperties")
    return FormField(
        key=key,
        section=key.partition(".")[0],
        group=group,
        name=name,
        type=_type_of(kind),
        items=_TYPES[values["type"]] if values else None,
        nullable=len(kinds) < len(options),
        default=default,
        choices=kind.get("enum"),
        minimum=kind.get("minimum", lower),
        exclusive_minimum=lower is not None,
        maximum=kind.get("maximum", upper),
        exclusive_maximum=upper is not None,
        unit=unit.group(1) if unit else None,
        meaning=meaning,
    )


def _type_of(kind: dict[str, Any]) -> str:
    if "enum" in kind:
        return "choice"
    return {"array": "list", "object": "map", **_TYPES}[kind["type"]]


def _look_up(values: dict[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found[part]
    return found


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *path, name = key.split(".")
    for part in path:
        values = values[part]
    values[name] = value


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _read_number(setting: FormField, value: Any) -> Any:
    """Read the text of a number field as a number; what is none stays, and the schema refuses it."""
    if not isinstance(value, str) or setting.type not in ("number", "integer"):
        return value
    text = value.strip()
    if _WHOLE.fullmatch(text) and len(text) < 20:
        return int(text)
    try:
        return float(text) if len(text) < 40 else value
    except ValueError:
        return value


def _problem(key: str, value: Any) -> str | None:
    """Say what is wrong with one value by itself."""
    try:
        json.dumps(value, allow_nan=False)
        msgspec.convert(_nested(key, value), Config).to_dict()
    except msgspec.ValidationError as error:
        text = str(error).partition(" - at ")[0].replace("Expected", "expected")
        return f"{key}: " + _CODE.sub(lambda code: _WORDS.get(code[1], code[1]), text)
    except ValueError:  # nan and the infinities
        return f"{key}: expected a number that JSON can carry"
    return None


def _unknown(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    hint = f"; did you mean {close[0]}?" if close else "; see docs/config.md"
    return f"{key[:80]} is no setting of this form{hint}"


def _named(text: str, fields: Iterable[FormField]) -> list[str]:
    """Return the keys of the settings that a sentence speaks of, for example `patchtst.data: train_ratio`."""
    words = set(re.findall(r"\w+", text))
    groups = text.replace(":", ".")
    return [setting.key for setting in fields if setting.name in words and f"{setting.group}." in groups]
