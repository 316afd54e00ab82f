"""The documented state, the orchestrator's state and the recorded states are the same thing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from web_sites import STATES

from nightforge.core.events import EVENT_TYPES
from nightforge.pipeline import states

DOC = (Path(__file__).parents[2] / "docs" / "state_schema.md").read_text(encoding="utf-8")
STRUCTS = [
    value for value in vars(states).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)
]
# Made by hand to be wrong: another version, fields missing, script text in places of words.
BROKEN = {"outdated", "sparse", "hub", "hub_hostile"}
RECORDED = sorted(path.stem for path in STATES.glob("*.json") if path.stem not in BROKEN)


@pytest.mark.parametrize("struct", [s for s in STRUCTS if s is not msgspec.Struct], ids=lambda s: s.__name__)
def test_every_field_of_the_state_is_documented(struct: type[msgspec.Struct]) -> None:
    missing = [field for field in struct.__struct_fields__ if not re.search(rf"[`{{ ]{field}[`,}} ]", DOC)]
    assert not missing


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_every_event_type_is_documented(name: str) -> None:
    assert f"`{name}`" in DOC


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_state_is_one_the_orchestrator_could_have_written(name: str) -> None:
    data = (STATES / f"{name}.json").read_bytes()
    again = json.loads(states.to_json(states.from_json(data)))
    assert _keys(json.loads(data)) == _keys(again)


def _keys(value: Any, place: str = "") -> set[str]:
    """Name every field with its place, so that an unknown or a forgotten one shows."""
    if isinstance(value, dict):
        inner = (_keys(child, f"{place}.{name}") for name, child in value.items())
        return set().union(*inner, {f"{place}.{name}" for name in value})
    if isinstance(value, list):
        return set().union(*(_keys(child, f"{place}[]") for child in value), set())
    return set()
