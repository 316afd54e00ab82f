"""Instructions state what programs hold and nothing else, and the checker of that finds planted lies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from nightforge.blueprint.catalog import Pin, load_catalog
from nightforge.blueprint.synthesis import Example
from nightforge.blueprint.synthesis.grown import Request, grow, problems
from nightforge.blueprint.synthesis.grown.derive import event_templates, step_templates, value_templates
from nightforge.blueprint.synthesis.grown.naming import Names
from nightforge.blueprint.synthesis.grown.phrases_events import EVENTS
from nightforge.blueprint.synthesis.grown.phrases_flow import FLOWS, JUMPS
from nightforge.blueprint.synthesis.grown.phrases_steps import STEPS
from nightforge.blueprint.synthesis.grown.phrases_values import VALUES
from nightforge.blueprint.synthesis.grown.render import SLOT, SPECIAL, Speaker
from nightforge.blueprint.synthesis.grown.tree import Call, Source

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def sample() -> list[Example]:
    stream = grow(Random(21), Request())
    return [next(stream) for _ in range(120)]


def test_generated_instructions_state_their_programs(sample: list[Example]) -> None:
    assert [
        problems(e.instruction, e.blueprint) for e in sample if problems(e.instruction, e.blueprint)
    ] == []


def _number(text: str) -> str:
    return re.sub(r"(?<![\w.\"])-?\d+(?:\.\d+)?(?![\w\"])", lambda m: str(float(m[0]) + 7.5), text, count=1)


def _quoted(text: str) -> str:
    return re.sub(r'"([^"]+)"', '"something else"', text, count=1)


def _variable(text: str) -> str:
    found = re.search(r"variable (\w+)", text)
    return text.replace(found[1], "Velocity") if found else text


def _type(text: str) -> str:
    return re.sub(r"\b(Float|Int|Bool|String|Actor|Vector)\b", "Rotator", text, count=1)


def _flag(text: str) -> str:
    swaps = {
        "starts at true": "starts at false",
        "starts at false": "starts at true",
        "hide": "show",
        "(Bool, true)": "(Bool, false)",
        "(Bool, false)": "(Bool, true)",
    }
    for old, new in swaps.items():
        if old in text:
            return text.replace(old, new)
    return text


LIES: dict[str, Callable[[str], str]] = {
    "another number": _number,
    "another text": _quoted,
    "another variable": _variable,
    "another type": _type,
    "another start value": _flag,
    "a further number": lambda text: f"{text} Wait 4321 seconds.",
    "a further text": lambda text: f'{text} Print "nobody asked".',
    "a further name": lambda text: f"{text} Call ExplodeEverything.",
    "a further variable": lambda text: f"{text} There is a Float variable Surplus.",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_lie_is_found(sample: list[Example], lie: str) -> None:
    changed = [(e, LIES[lie](e.instruction)) for e in sample]
    lies = [(e, text) for e, text in changed if text != e.instruction]
    assert len(lies) > 5
    assert [text for e, text in lies if not problems(text, e.blueprint)] == []


def test_a_statement_left_out_is_found(sample: list[Example]) -> None:
    found = total = 0
    for example in sample:
        lines = example.instruction.split("\n")
        steps = [number for number, line in enumerate(lines) if re.match("- .*[^:]$", line)]
        if len(steps) > 1:
            total += 1
            kept = [line for number, line in enumerate(lines) if number != steps[-1]]
            found += bool(problems("\n".join(kept), example.blueprint))
    assert total > 10 and found == total


def test_every_wording_belongs_to_a_node_type_and_its_pins() -> None:
    nodes = load_catalog().nodes
    for name, templates in (*STEPS.items(), *EVENTS.items(), *VALUES.items()):
        node = nodes[name.partition(".")[0]]
        for template in templates:
            pins = {match["pin"] for match in SLOT.finditer(template)} - set(SPECIAL)
            assert pins <= set(node.property_names()), (name, template)
    for name, wordings in FLOWS.items():
        for wording in wordings:
            outs = {pin.name for pin in nodes[name].outputs if pin.is_exec}
            assert set(wording.pins) <= outs and set(wording.alone) <= outs, name
            for text in (wording.lead, *wording.pins.values(), *wording.alone.values()):
                pins = {match["pin"] for match in SLOT.finditer(text)} - set(SPECIAL)
                assert pins <= set(nodes[name].property_names()), (name, text)
    assert all(nodes[name].input(entry) for name, entry in JUMPS)


def test_a_node_without_wordings_is_said_with_its_name_its_pins_and_what_fills_them() -> None:
    model = load_catalog().nodes["SetLifeSpan"]
    target = Pin("Target", "Actor")
    glow = replace(model, name="SetGlowAmount", inputs=(model.inputs[0], target, Pin("Amount", "Float")))
    shine = replace(model, name="ShineOnce", inputs=(model.inputs[0], target, Pin("MaxRange", "Float")))
    speaker = Speaker(Names(Random(1), 0.0), "Actor")
    said = {speaker.step(Call(glow, {"Amount": 4.0})) for _ in range(30)}
    assert said == {"set the glow amount of this actor to 4", "set this actor's glow amount to 4"}
    assert speaker.step(Call(shine, {"MaxRange": 9.0})).endswith("shine once on this actor with max range 9")
    assert step_templates(glow)[0] == "set the glow amount of {Target} to {Amount}"
    frozen = replace(load_catalog().nodes["ActorHasTag"], name="IsFrozen", inputs=(target,))
    assert value_templates(frozen, "ReturnValue") == ("{Target} is frozen",)
    event = replace(
        load_catalog().nodes["Event_EndPlay"], name="Event_Landed", summary="Runs when the character lands."
    )
    assert event_templates(event)[0] == "when the character lands"


def test_a_condition_within_a_condition_stands_in_parentheses() -> None:
    nodes = load_catalog().nodes
    speaker = Speaker(Names(Random(1), 0.0), "Actor")

    def read(name: str) -> Source:
        return Source("Bool", call=Call(nodes["GetVar"], {"VarName": name}), pin="Value")

    inner = Source(
        "Bool", call=Call(nodes["Or"], inputs={"A": read("Lit"), "B": read("Hot")}), pin="ReturnValue"
    )
    outer = Source("Bool", call=Call(nodes["And"], inputs={"A": inner, "B": read("Open")}), pin="ReturnValue")
    for _ in range(20):
        assert re.search(
            r"\((?:either )?Lit is \w+ or Hot is \w+\) and Open is \w+", speaker.condition(outer)
        )


@pytest.mark.slow
def test_every_node_type_can_be_said_from_the_catalog_alone() -> None:
    code = (
        "from random import Random\n"
        "from nightforge.blueprint.synthesis.grown import phrases_events, phrases_flow\n"
        "from nightforge.blueprint.synthesis.grown import phrases_steps, phrases_values\n"
        "steps, values = phrases_steps.STEPS, phrases_values.VALUES\n"
        "for table in (steps, values, phrases_events.EVENTS, phrases_flow.FLOWS):\n"
        "    table.clear()\n"
        "from nightforge.blueprint.catalog import load_catalog\n"
        "from nightforge.blueprint.synthesis.grown import Request, grow\n"
        "stream = grow(Random(2), Request())\n"
        "print({node.type for _ in load_catalog().nodes for node in next(stream).blueprint.nodes()}\n"
        "      >= set(load_catalog().nodes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "True", done.stderr[-2000:]
