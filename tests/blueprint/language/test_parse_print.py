"""Text to program to text is the identity, and every syntax error is reported where it is."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_cases import LANTERN, TWO_GRAPHS, blueprints, body, program, wired_programs

from nightforge.blueprint import parser
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Blueprint, Graph, Node, Struct, Variable, Wire
from nightforge.blueprint.lexer import quote
from nightforge.blueprint.parser import KEYWORDS, parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.spelling import respell


def shape(value: object) -> str:
    """repr tells 1, 1.0 and true apart, which == does not."""
    return repr(value)


@settings(max_examples=80, deadline=None)
@given(blueprints)
def test_reading_what_was_written_gives_the_same_program(bp: Blueprint) -> None:
    bp = respell(bp)
    result = parse(to_text(bp))
    assert result.diagnostics == ()
    assert shape(result.blueprint) == shape(bp)


@settings(max_examples=60, deadline=None)
@given(wired_programs())
def test_programs_of_catalog_nodes_survive_the_round_trip(bp: Blueprint) -> None:
    assert shape(parse(to_text(bp)).blueprint) == shape(bp)


@settings(max_examples=50, deadline=None)
@given(blueprints)
def test_respelling_twice_changes_nothing(bp: Blueprint) -> None:
    assert respell(respell(bp)) == respell(bp)


@settings(max_examples=80, deadline=None)
@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from([*KEYWORDS, ":", " ", "n1", "[", "]", '"', ".", "->", "\n", "(", "=", "#", "5"]),
        max_size=40,
    ).map("".join)
)
def test_any_text_gets_diagnostics_and_never_an_exception(text: str) -> None:
    validation = validate(text)
    assert (parse(text).blueprint is None) == any("" != d.message for d in parse(text).diagnostics)
    assert all(d.line >= 1 and d.column >= 1 and d.message for d in validation.diagnostics)


LINES = (
    "BLUEPRINT: BP_A", "PARENT: Actor", "GRAPH: EventGraph", "FUNCTION: Fire", "VAR Speed: Float = 5",
    "NODE n1: Event_BeginPlay", "NODE n2: PrintString [InString=5]", "NODE n2: PrintString [InString=5.0]",
    "NODE n1: Event_BeginPlay [", "NODE n2 PrintString", "NODE n3: Branch  # why", "NODE ", "NODE \t",
    "EXEC n1.Then -> n2.Execute", "EXEC n1.Then -> ", "EXEC n3.True -> n2.Execute [Float]",
    "DATA n3.Value -> n2.InString [Float]", "DATA 5 -> n2.InString", "  NODE n4: Branch", "COMMENT: x (n1)",
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=14))
def test_a_line_that_was_read_before_means_the_same_as_one_read_anew(lines: list[str]) -> None:
    text = "\n".join(lines)
    parse(text)
    again = parse(text)
    with mock.patch.object(parser, "MAX_REPEATING", -1):
        anew = parse(text)
    assert again == anew
    assert shape(again.partial) == shape(anew.partial)


@pytest.mark.parametrize("text", [LANTERN, TWO_GRAPHS], ids=["lantern", "two graphs"])
def test_canonical_text_is_written_back_letter_by_letter(text: str) -> None:
    assert to_text(program(text)) == text


WRITTEN = {
    "a whole float keeps its point": (5.0, "5.0"),
    "a small float is shortest": (0.1, "0.1"),
    "an integer has no point": (5, "5"),
    "booleans are lower case": (True, "true"),
    "a struct has no blanks": (Struct((("X", 1.0), ("Y", 2.0))), "(X=1.0,Y=2.0)"),
    "a word is quoted": ("Jump", '"Jump"'),
    "quotes and backslashes are escaped": ('a"b\\c', r'"a\"b\\c"'),
    "a line break is escaped": ("a\nb", r'"a\nb"'),
    "other control characters get a number": ("\x01\u2028", r'"\u0001\u2028"'),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_values_are_written(case: str) -> None:
    value, text = WRITTEN[case]
    assert to_text(program(body(f"NODE n2: PrintString [InString={text}]"))).count(f"[InString={text}]") == 1
    assert program(body(f"NODE n2: X [A={text}]")).graphs[0].nodes[1].properties == (("A", value),)


HEADER = "BLUEPRINT: A\nPARENT: Actor\nGRAPH: EventGraph\n"

# name: (line 4 of a program, line, column, part of the message, part of what was expected)
REJECTED = {
    "unclosed bracket": ("NODE n1: Foo [A=1", 4, 18, "unclosed '['", "']'"),
    "trailing text after a type": ("NODE n1: Spawn Enemy", 4, 16, "trailing text 'Enemy'", "end of the line"),
    "a property without value": ("NODE n1: Foo [Yes]", 4, 18, "unexpected ']'", "'=' and a value for Yes"),
    "empty brackets": ("NODE n1: Foo []", 4, 15, "unexpected ']'", "a property name"),
    "a comma at the end": ("NODE n1: Foo [A=1,]", 4, 19, "unexpected ']'", "a property name"),
    "a property given twice": ("NODE n1: Foo [A=1, A=2]", 4, 20, "given twice", "once"),
    "missing comma": ("NODE n1: Foo [A=1 B=2]", 4, 19, "unexpected 'B'", "',' or ']'"),
    "a wire with trailing text": (
        "EXEC n1.Then -> n9.X junk",
        4,
        22,
        "trailing text 'junk'",
        "end of the line",
    ),
    "a tag on an exec wire": ("EXEC n1.Then -> n2.X [Bool]", 4, 22, "trailing text '['", "end of the line"),
    "a blank in a pin name": ("EXEC n1.Then 0 -> n2.X", 4, 14, "unexpected '0'", "'->'"),
    "a literal number at a wire": ("DATA 5 -> n2.V [Int]", 4, 6, "not at a literal", "NODE n2: ... [V=5]"),
    "a literal float at a wire": ("DATA 5.0 -> n2.V [Float]", 4, 6, "not at a literal", "[V=5.0]"),
    "a literal bool at a wire": ("DATA true -> n2.V [Bool]", 4, 6, "not at a literal", "[V=true]"),
    "a literal text at a wire": ('DATA "hi" -> n2.V [String]', 4, 6, "not at a literal", '[V="hi"]'),
    "a node id with a dash": ("NODE n-1: Foo", 4, 7, "unexpected '-1'", "':'"),
    "a node id of digits": ("NODE 1: Foo", 4, 6, "unexpected '1'", "node id"),
    "an unclosed string": ('NODE n1: Foo [A="x]', 4, 17, "string is not closed", '"'),
    "an unknown escape": (r'NODE n1: Foo [A="a\q"]', 4, 19, r"unknown escape \q", r"\n"),
    "an escape beyond Unicode": (r'NODE n1: Foo [A="\UFFFFFFFF"]', 4, 18, "unknown escape", r"\U"),
    "an unclosed struct": ("NODE n1: Foo [A=(X=1]", 4, 21, "unexpected ']'", "','"),
    "an endless number": ("NODE n1: Foo [A=1e999]", 4, 17, "too large", "finite"),
    "an integer beyond 64 bits": ("NODE n1: Foo [A=9223372036854775808]", 4, 17, "too large", "64 bits"),
    "a number with letters": ("NODE n1: Foo [A=5x]", 4, 17, "malformed number '5x'", "number"),
    "a lower-case keyword": ("node n1: Foo", 4, 1, "did you mean NODE?", "NODE"),
    "an unknown keyword": ("REMARK hello", 4, 1, "not 'REMARK'", "VAR"),
    "a second name": ("BLUEPRINT: B", 4, 1, "given twice", "one header"),
    "an odd character": ("NODE n1: Foo [A=§]", 4, 17, "unexpected character '§'", "number"),
    "a variable without type": ("VAR Fuel = 3", 4, 10, "unexpected '='", "':'"),
    "a default without value": ("VAR Fuel: Float =", 4, 18, "ends too early", "a value"),
    "an unfinished container": ("VAR Coins: Array<Int = 3", 4, 22, "unexpected '='", "'>'"),
    "a name with a blank": ("GRAPH: My Graph", 4, 11, "trailing text 'Graph'", "end of the line"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_broken_line_is_reported_with_line_column_and_expectation(case: str) -> None:
    line, number, column, message, expected = REJECTED[case]
    result = parse(HEADER + line + "\n")
    assert result.blueprint is None
    [found] = result.diagnostics
    assert (found.line, found.column) == (number, column)
    assert message in found.message
    assert expected in found.expected


def test_a_nested_bomb_is_an_error_and_no_crash() -> None:
    [found] = parse(HEADER + "NODE n1: Foo [A=" + "(X=" * 5000).diagnostics
    assert "nest too deep" in found.message


ACCEPTED = {
    "a trailing comment": ("VAR X: Int = 5 # note", "VAR X: Int = 5"),
    "a hash inside a string": ('NODE n1: Foo [A="# no"] # yes', 'NODE n1: Foo [A="# no"]'),
    "commas and brackets inside a string": ('NODE n1: Foo [S="a, b=c]d"]', 'NODE n1: Foo [S="a, b=c]d"]'),
    "an escaped quote": (r'NODE n1: Foo [S="a\"b"]', r'NODE n1: Foo [S="a\"b"]'),
    "a struct value": ("NODE n1: Foo [L=(X=1, Y=2, Z=3)]", "NODE n1: Foo [L=(X=1,Y=2,Z=3)]"),
    "a bare word": ("NODE n1: Foo [A=Jump]", 'NODE n1: Foo [A="Jump"]'),
    "a capital bool": ("NODE n1: Foo [A=True]", "NODE n1: Foo [A=true]"),
    "tabs and blanks": ("\tNODE   n1 :\tFoo", "NODE n1: Foo"),
    "a typed container": ("VAR X: Map< String , Int >", "VAR X: Map<String,Int>"),
    "a container tag": ("DATA a.b -> c.d [Array<Int>]", "DATA a.b -> c.d [Array<Int>]"),
    "a quoted pin": ('EXEC n1."Then 0" -> n2.X', 'EXEC n1."Then 0" -> n2.X'),
    "quotes that are not needed": ('EXEC n1."Then" -> n2.X', "EXEC n1.Then -> n2.X"),
    "a quoted variable": ('VAR "Max Fuel": Float = 2.5e3', 'VAR "Max Fuel": Float = 2500.0'),
    "an opaque type": ('NODE n1: "K2Node_Timeline"', "NODE n1: K2Node_Timeline"),
    "letters of other scripts": ("NODE größe: Foo", "NODE größe: Foo"),
    "the alias VariableGet": ('NODE n1: VariableGet [Variable="A"]', 'NODE n1: GetVar [VarName="A"]'),
    "the alias SetVariable": ('NODE n1: SetVariable [VarName="A"]', 'NODE n1: SetVar [VarName="A"]'),
    "the alias Event_Custom": (
        'NODE n1: Event_Custom [EventName="A"]',
        'NODE n1: Event_CustomEvent [EventName="A"]',
    ),
    "the alias Looping": (
        "NODE n1: SetTimerByFunctionName [Looping=true]",
        "NODE n1: SetTimerByFunctionName [bLooping=true]",
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_lenient_input_has_one_spelling_on_output(case: str) -> None:
    line, written = ACCEPTED[case]
    text = to_text(program(HEADER.replace("GRAPH", "VAR Z: Int\nGRAPH") + "\n# a comment\n" + line + "\n"))
    assert written in text.split("\n")


def test_pin_aliases_are_respelt_on_wires() -> None:
    text = body(
        "NODE n2: NOT", "NODE n3: Branch", "DATA n2.ReturnValue -> n3.Condition", "DATA n3.X -> n2.Input"
    )
    wires = program(text).graphs[0].wires
    assert [wire.target_pin for wire in wires] == ["Condition", "A"]


def test_the_empty_text_lacks_every_part_of_the_header() -> None:
    messages = " ".join(d.message for d in parse("").diagnostics)
    assert "BLUEPRINT" in messages and "PARENT" in messages and "graph" in messages


def test_every_error_is_reported_not_only_the_first() -> None:
    text = HEADER + "NODE n1: Foo [A=1\nNODE n2: Spawn Enemy\nDATA 5 -> n2.V\nEXEC n1.Then -> n9.X junk\n"
    assert [d.line for d in parse(text).diagnostics] == [4, 5, 6, 7]
    about_7 = [d.message for d in validate(text).diagnostics if d.line == 7]
    assert any("junk" in m for m in about_7) and any("'n9'" in m for m in about_7)


def test_one_broken_line_does_not_cast_doubt_on_the_others() -> None:
    lines = LANTERN.replace('"lantern lit"', '"lantern lit').replace("BP_Lantern", r'"\q"').split("\n")
    found = validate("\n".join(lines).replace("GRAPH: EventGraph", "GRAPH: §")).diagnostics
    assert [d.line for d in found if d.severity == "error"] == [1, 4, 12]


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    assert program("\ufeff" + LANTERN.replace("\n", "\r\n")) == program(LANTERN)


def test_a_node_before_any_graph_is_one_error() -> None:
    [found] = parse("BLUEPRINT: A\nPARENT: Actor\nNODE n1: Branch\n").diagnostics
    assert found.line == 3 and "before any GRAPH" in found.message


IMPOSSIBLE = {
    "an id with a blank": lambda: Node("n 1", "Branch"),
    "an empty type": lambda: Node("n1", ""),
    "a property twice": lambda: Node("n1", "X", (("A", 1), ("A", 2))),
    "a number that is not finite": lambda: Node("n1", "X", (("A", float("nan")),)),
    "an integer of 65 bits": lambda: Variable("A", "Int", 2**64),
    "a malformed type": lambda: Variable("A", "Array<"),
    "a list as value": lambda: Variable("A", "Int", [1]),
    "a typed exec wire": lambda: Wire("exec", "a", "b", "c", "d", "Int"),
    "an unknown wire kind": lambda: Wire("signal", "a", "b", "c", "d"),
    "an empty graph name": lambda: Graph(""),
    "no graph": lambda: Blueprint("A", "Actor", (), ()),
    "an empty parent": lambda: Blueprint("A", "", (), (Graph("E"),)),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_constructors_refuse_what_text_cannot_carry(case: str) -> None:
    with pytest.raises(ValueError):
        IMPOSSIBLE[case]()


def test_quoting_leaves_printing_letters_alone() -> None:
    assert quote("größe 名前 😀") == '"größe 名前 😀"'


def test_a_wire_is_written_behind_the_later_of_its_nodes_and_may_be_read_anywhere() -> None:
    lines = LANTERN.splitlines(keepends=True)
    nodes = [line for line in lines if not line.startswith(("EXEC", "DATA"))]
    wires = [line for line in lines if line.startswith(("EXEC", "DATA"))]
    apart = parse("".join(nodes + wires[::-1])).blueprint
    assert apart is not None
    assert apart != parse(LANTERN).blueprint  # behind one node the order is kept
    written = to_text(apart).splitlines(keepends=True)
    assert sorted(written) == sorted(lines)
    for place, line in enumerate(written):
        for end in re.findall(r"n\d", line if line.startswith(("EXEC", "DATA")) else ""):
            assert any(above.startswith(f"NODE {end}:") for above in written[:place])
    assert to_text(apart).index("EXEC n1.Then -> n4") < to_text(apart).index("NODE n5")


def test_findings_name_the_line_on_which_a_wire_was_read() -> None:
    text = LANTERN.replace("EXEC n4.True -> n5.Execute\n", "")
    text = text.replace("NODE n1", "EXEC n4.Maybe -> n5.Execute\nNODE n1")
    wrong = text.splitlines().index("EXEC n4.Maybe -> n5.Execute") + 1
    assert [d.line for d in validate(text).errors] == [wrong]
    assert "Maybe" in validate(text).errors[0].message
