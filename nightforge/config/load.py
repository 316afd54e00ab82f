"""Read pipeline_config.json, lay the profile and --set over it, check it all, return one frozen Config."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from nightforge.config.schema import Config, contradictions
from nightforge.core.atomic import read_json
from nightforge.core.errors import ConfigError, InputError
from nightforge.core.paths import Project

Layer = tuple[str, dict[str, Any]]


def load_config(
    project: Project,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    config_file: Path | None = None,
) -> Config:
    """Resolve the configuration: file, then profile, then `section.key=value` overrides; the last one wins.

    `config_file` may also be the `config.json` of a run, whose values are resolved already: then only
    overrides apply, and naming another profile is an error. Raises ConfigError (exit 2) naming file, key and
    what was expected.
    """
    path = config_file or project.config_file
    content = _read_object(path)
    layers: list[Layer]
    if isinstance(content.get("config"), dict):
        resolved = content["config"]
        if profile is not None and profile != resolved.get("profile"):
            raise ConfigError(
                f"{path} belongs to a run of profile {resolved.get('profile')!r}, not {profile!r}"
            )
        layers = [(str(path), resolved)]
    else:
        name = profile or content.get("profile", "tiny")
        overlay = _read_profile(project, name)
        layers = [(str(path), content), (str(project.profiles / f"{name}.json"), overlay)]
        layers.append(("the profile's name", {"profile": name}))
    layers += [(f"--set {text}", parse_override(text)) for text in overrides]
    # All defaults lie below: a section of which one key is given keeps its own defaults for the others.
    merged = Config().to_dict()
    for place, layer in layers:
        _check_keys(layer, Config, place, "")
        _check_types(layer, place)
        merged = _merge(merged, layer)
    config = _convert(merged, str(path))
    problems = contradictions(config)
    if problems:
        raise ConfigError(
            f"{path} (profile {config.profile}): " + "; ".join(problems),
            next_command="python launch_pipeline.py --dry-run",
        )
    return config


def parse_override(text: str) -> dict[str, Any]:
    """Turn `training.epochs=2` into {"training": {"epochs": 2}}; the value is JSON, else plain text."""
    key, equals, raw = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(
            f"--set {text!r} is not of the form section.key=value, for example --set training.epochs=2"
        )
    try:
        value: Any = json.loads(raw)
    except ValueError:
        value = raw
    for part in reversed(parts):
        value = {part: value}
    result: dict[str, Any] = value
    return result


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except ConfigError:
        raise
    except InputError as error:
        raise ConfigError(error.message, next_command=f"correct {path.name}, then start again") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold one JSON object, found {type(content).__name__}")
    return content


def _read_profile(project: Project, name: Any) -> dict[str, Any]:
    known = sorted(path.stem for path in project.profiles.glob("*.json"))
    if name not in known:
        close = difflib.get_close_matches(str(name), known, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"profile {name!r} does not exist; {hint}profiles/ has {', '.join(known)}",
            next_command=f"python launch_pipeline.py --profile {close[0] if close else 'tiny'}",
        )
    return _read_object(project.profiles / f"{name}.json")


def _check_keys(layer: Any, struct: type[msgspec.Struct], place: str, prefix: str) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    if not isinstance(layer, dict):
        raise ConfigError(f"{place}: {prefix.rstrip('.') or 'the configuration'} must be an object")
    for key, value in layer.items():
        if key.startswith("//"):  # the one comment form JSON leaves us
            continue
        if key not in fields:
            close = difflib.get_close_matches(key, list(fields), 1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else f"; known keys: {', '.join(fields)}"
            raise ConfigError(f"{place}: unknown key {prefix}{key}{hint}", next_command="see docs/config.md")
        kind = fields[key].type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            _check_keys(value, kind, place, f"{prefix}{key}.")


def _check_types(layer: dict[str, Any], place: str) -> None:
    """Convert each layer alone, so that a wrong type is blamed on the file that holds it."""
    _convert(_merge({}, layer), place)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if key.startswith("//"):
            continue
        old = merged.get(key)
        if isinstance(value, dict):
            merged[key] = _merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _convert(value: dict[str, Any], place: str) -> Config:
    try:
        return msgspec.convert(value, Config)
    except msgspec.ValidationError as error:
        text = str(error).replace(" - at `$.", " at `").replace("Expected", "expected")
        raise ConfigError(f"{place}: {text}", next_command="see docs/config.md") from error
