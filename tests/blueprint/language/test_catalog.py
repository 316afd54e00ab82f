"""The catalog is consistent, known traps stay fixed, and grammar, page and prompts tell the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_cases import LANTERN, TWO_GRAPHS, program, wired_programs

from nightforge.blueprint.canonical import canonicalize
from nightforge.blueprint.catalog import SELF, WILDCARDS, NodeType, load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.docs import LARGER, render
from nightforge.blueprint.grammar import GRAMMAR
from nightforge.blueprint.graph import Blueprint, split_type
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.prompt import EXAMPLE, system_prompt

PAGE = Path(__file__).resolve().parents[3] / "docs" / "dsl.md"
NODES = load_catalog().nodes
every_node = pytest.mark.parametrize("node", NODES.values(), ids=list(NODES))


def test_there_are_at_least_two_hundred_node_types_of_every_kind() -> None:
    assert len(NODES) >= 220
    assert {node.kind for node in NODES.values()} == {"event", "exec", "pure", "macro"}


@every_node
def test_pins_fit_the_kind_of_the_node(node: NodeType) -> None:
    exec_in = [pin for pin in node.inputs if pin.is_exec]
    exec_out = [pin for pin in node.outputs if pin.is_exec]
    if node.kind == "pure":
        assert not exec_in and not exec_out and (node.outputs or "out" in node.user_pins)
    elif node.kind == "event":
        assert not exec_in and exec_out
    elif node.name == "CallMacro":
        assert node.user_pins == ("in", "out")  # all its pins are those of the macro it names
    else:
        assert exec_in and (exec_out or node.name == "FunctionResult")


@every_node
def test_types_of_pins_are_known(node: NodeType) -> None:
    types = load_catalog().types
    for pin in node.inputs + node.outputs:
        head, arguments = split_type(pin.type)
        assert head in ("exec", SELF, *WILDCARDS) or (
            set(arguments) & set(WILDCARDS) or types.problem(pin.type) is None
        ), pin


@every_node
def test_names_are_unique_and_aliases_point_at_something(node: NodeType) -> None:
    inputs = [pin.name for pin in node.inputs] + [entry.name for entry in node.properties]
    outputs = [pin.name for pin in node.outputs]
    assert len(set(inputs)) == len(inputs) and len(set(outputs)) == len(outputs)
    for alias, name in node.pin_aliases.items():
        assert name in inputs + outputs
        assert alias not in inputs + outputs, f"{alias} already means something"


@every_node
def test_every_node_has_a_target_with_evidence_and_a_meaning(node: NodeType) -> None:
    assert node.evidence in ("seen", "public")
    assert node.ue_target.startswith("K2Node_")
    assert node.summary.endswith(".")


def test_standard_macros_are_macros_and_multi_gate_is_a_class() -> None:
    macros = {name for name, node in NODES.items() if node.kind == "macro"}
    assert macros == {name for name, node in NODES.items() if "K2Node_MacroInstance" in node.ue_target}
    assert {"DoOnce", "FlipFlop", "Gate", "ForLoop", "ForEachLoop", "WhileLoop"} <= macros
    assert NODES["MultiGate"].ue_target == "K2Node_MultiGate"


def test_reals_are_doubles_and_distances_are_pure() -> None:
    operators = [node.unreal for node in NODES.values() if node.unreal.operation]
    assert len(operators) > 25 and not [one for one in operators if "_FloatFloat" in one.function]
    assert NODES["GetDistanceTo"].kind == "pure"
    assert NODES["SetTimerByFunctionName"].ue_target.endswith("K2_SetTimer")
    assert NODES["PlaySound"].ue_target.endswith("PlaySound2D")


def test_casts_exist_for_every_known_class_and_no_other() -> None:
    cast = load_catalog().lookup("CastToBP_Door")
    assert cast is not None and cast.output("AsBP_Door") is not None
    assert load_catalog().lookup("CastToNonsense") is None


def test_dynamic_pins_match_their_family_only() -> None:
    sequence, switch = NODES["Sequence"], NODES["SwitchOnString"]
    assert sequence.output("Then_0") and sequence.output("Then_10")
    assert not any(sequence.output(name) for name in ("Then_", "Then_x", "Then_01", "Then", "Then_²"))
    assert switch.output("Case_dark red") and not switch.output("Case_")


ENGINE_PINS = {
    "the pins of control": ("PrintString", "Then", "output", "then"),
    "the target of a call": ("DestroyActor", "Target", "input", "self"),
    "both ways of a branch": ("Branch", "False", "output", "else"),
    "a numbered pin": ("Sequence", "Then_3", "output", "then_3"),
    "a case": ("SwitchOnString", "Case_dark red", "output", "dark red"),
    "the end of a delay": ("Delay", "Completed", "output", "then"),
    "the result of a cast": (
        "CastToPlayerController",
        "AsPlayerController",
        "output",
        "AsPlayer Controller",
    ),
    "the result of a project cast": ("CastToBP_Door", "AsBP_Door", "output", "AsBP Door"),
    "a name with a blank": ("ForEachLoop", "ArrayElement", "output", "Array Element"),
    "the value of a variable": ("SetVar", "Value", "input", "{VarName}"),
    "what a set variable gives on": ("SetVar", "Value", "output", "Output_Get"),
    "a pin without a name": ("FlipFlop", "Execute", "input", ""),
    "a pin with the same name": ("GreaterThan", "A", "input", "A"),
    "a vector called Target": ("FindLookAtRotation", "Target", "input", "Target"),
}


@pytest.mark.parametrize("case", ENGINE_PINS)
def test_pins_have_the_names_of_the_engine(case: str) -> None:
    name, pin, side, engine_name = ENGINE_PINS[case]
    node = load_catalog().lookup(name)
    assert node is not None and node.ue_pin(pin, "input" if side == "input" else "output") == engine_name


@every_node
def test_engine_names_belong_to_pins_that_exist(node: NodeType) -> None:
    common = {"Execute", "Then", "Target"}
    assert set(node.ue_inputs) - common <= {pin.name for pin in node.inputs}
    assert set(node.ue_outputs) - common <= {pin.name for pin in node.outputs}


# the grammar


DEEPEST = {"struct": (2, "true"), "type": (3, "name")}  # levels written out, and what stands at the last one


def as_regex(rule: str, above: tuple[str, ...] = ()) -> str:
    """Turn a rule of the EBNF into a regular expression; structs and types nest a few levels only."""
    rules = dict(re.split(r"\s*::=\s*", line, maxsplit=1) for line in GRAMMAR.strip().split("\n"))
    above = (*above, rule)
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\w+|[()|*+?]', rules[rule])
    out = []
    for token in tokens:
        if token.startswith('"'):
            out.append(f"(?:{re.escape(token[1:-1].encode().decode('unicode_escape'))})")
        elif token in DEEPEST and above.count(token) == DEEPEST[token][0]:
            last = DEEPEST[token][1]
            out.append(last if last not in rules else f"(?:{as_regex(last, above)})")
        elif token[0].isalpha():
            out.append(f"(?:{as_regex(token, above)})")
        else:
            out.append("(?:" if token == "(" else token)
    return "".join(out)


ROOT = re.compile(as_regex("root"))


@pytest.mark.parametrize("text", [LANTERN, TWO_GRAPHS])
def test_canonical_programs_are_texts_of_the_grammar(text: str) -> None:
    assert ROOT.fullmatch(text)
    assert not ROOT.fullmatch(text.replace(": ", ":", 1))


@settings(max_examples=40, deadline=None)
@given(wired_programs())
def test_whatever_is_printed_is_a_text_of_the_grammar(bp: Blueprint) -> None:
    assert ROOT.fullmatch(to_text(bp)) and ROOT.fullmatch(to_text(canonicalize(bp)))


LINE_RULES = ("var", "node", "exec", "data", "comment", "function")
LINES = [re.compile(as_regex(rule, ("struct", "type"))) for rule in LINE_RULES]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(LINES).flatmap(lambda line: st.from_regex(line, fullmatch=True)))
def test_every_line_of_the_grammar_parses(line: str) -> None:
    text = "BLUEPRINT: A\nPARENT: Actor\nGRAPH: EventGraph\n" + line
    allowed = ("given twice", "too large")  # what a grammar of this kind cannot say
    found = [d for d in parse(text).diagnostics if not any(words in d.message for words in allowed)]
    assert found == []


# pages and prompts


def test_the_page_is_what_the_program_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "docs/dsl.md is old; its head says how to make it"


def test_the_example_of_page_and_prompt_is_valid_and_canonical() -> None:
    assert validate(EXAMPLE).diagnostics == ()
    assert to_text(canonicalize(program(EXAMPLE))) == EXAMPLE
    assert [d.code for d in validate(LARGER).diagnostics] == ["DSL302"]
    assert to_text(program(LARGER)) == LARGER


def test_the_minimal_prompt_is_one_short_text() -> None:
    assert len(system_prompt("minimal").split()) <= 25


@pytest.mark.parametrize("style", ["compact", "full"])
def test_longer_prompts_name_every_node_type_of_their_level(style: str) -> None:
    words = set(re.findall(r"\w+", system_prompt(style)))
    assert set(NODES if style == "full" else load_catalog().core()) <= words


def test_prompts_grow_with_their_style() -> None:
    minimal, compact, full = (len(system_prompt(style)) for style in ("minimal", "compact", "full"))
    assert minimal < compact < 4200 < full


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="minimal, compact or full"):
        system_prompt("verbose")
