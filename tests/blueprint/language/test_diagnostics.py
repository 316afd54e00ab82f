"""Every code can be met and says where; fixing mends what can only mean one thing and loses no note."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_cases import LANTERN, TWO_GRAPHS, body, program, wired_programs

from nightforge.blueprint.check import validate
from nightforge.blueprint.diagnostics import CODES, MAX_FINDINGS, Diagnostic
from nightforge.blueprint.fixing import fix
from nightforge.blueprint.lexer import comment_of
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text

PAGE = Path(__file__).resolve().parents[3] / "docs" / "dsl.md"
VARS = "VAR Fuel: Float = 1.0\n"
OF_FILES = {"DSL001", "DSL002", "DSL004"}  # test_language_scripts.py


def line(text: str) -> str:
    """A program with one more line, the sixth one."""
    return body(text, variables=VARS)


# code: (text, line, column)
MET = {
    "DSL003": ("§\n" * (MAX_FINDINGS + 10), MAX_FINDINGS, 1),
    "DSL101": (line("NODE n2: §"), 6, 10),
    "DSL102": (line('NODE n2: PrintString [InString="a]'), 6, 32),
    "DSL103": (line(r'NODE n2: PrintString [InString="C:\Maps"]'), 6, 35),
    "DSL104": (line("NODE n2: Delay [Duration=2x]"), 6, 26),
    "DSL105": (line("NODE n2: Delay [Duration=1e999]"), 6, 26),
    "DSL106": (line("NOD n2: Delay"), 6, 1),
    "DSL107": (line("NODE n2, Delay"), 6, 8),
    "DSL108": (line("NODE n2:"), 6, 9),
    "DSL109": (line("NODE n2: Delay slowly"), 6, 16),
    "DSL110": (line("NODE n2: Delay [Duration=2.0"), 6, 29),
    "DSL111": (line("NODE n2: Delay [Duration=2.0, Duration=3.0]"), 6, 31),
    "DSL112": (line("DATA 5 -> n2.Duration [Int]"), 6, 6),
    "DSL113": (line("NODE n2: Delay [Duration=" + "(X=" * 20 + ")" * 20 + "]"), 6, 74),
    "DSL114": ("BLUEPRINT: A\nPARENT: Actor\nNODE n1: Delay\n", 3, 1),
    "DSL201": ("BLUEPRINT: A\nGRAPH: E\nNODE n1: Event_Tick\n", 1, 1),
    "DSL202": (line("PARENT: Pawn"), 6, 1),
    "DSL203": ("BLUEPRINT: A\nPARENT: Actor\n", 2, 1),
    "DSL204": (body(parent="Acter"), 2, 9),
    "DSL205": (line("VAR Fuel: Int"), 6, 5),
    "DSL206": (line("GRAPH: EventGraph"), 6, 8),
    "DSL207": (line("VAR Oil: Array<Flot>"), 6, 10),
    "DSL208": (line('VAR Oil: Float = "much"'), 6, 18),
    "DSL209": (line('GRAPH: "Second One"'), 6, 8),
    "DSL210": (line('COMMENT: "Here" (n1, n7)'), 6, 22),
    "DSL211": (line("FUNCTION: F (in Go: exec)\nNODE n1: FunctionEntry"), 6, 17),
    "DSL301": (line("NODE n2: Dilay"), 6, 10),
    "DSL302": (line("NODE n2: K2Node_Slide"), 6, 10),
    "DSL303": (line("NODE n1: Delay"), 6, 6),
    "DSL304": (line("NODE n2: Event_BeginPlay"), 6, 10),
    "DSL305": (line("NODE n2: Delay [Time=2.0]"), 6, 17),
    "DSL306": (line('NODE n2: Delay [Duration="2"]'), 6, 26),
    "DSL307": (
        line('NODE n2: SwitchOnInt\nVAR M: EMovementMode\nNODE n3: SetVar [VarName="M", Value="Fly"]'),
        8,
        37,
    ),
    "DSL308": (line("NODE n2: Delay [Duration=2.0]\nDATA n3.ReturnValue -> n2.Duration [Float]"), 6, 17),
    "DSL309": (line("NODE n2: GetVar"), 6, 10),
    "DSL310": (line("NODE n2: ForEachLoop"), 6, 10),
    "DSL311": (line('NODE n2: GetVar [VarName="Oil"]'), 6, 26),
    "DSL312": (line('NODE n2: CallEvent [EventName="Go"]'), 6, 31),
    "DSL313": (line('NODE n2: Event_Custom [EventName="Go"]\nNODE n3: Event_Custom [EventName="Go"]'), 6, 34),
    "DSL314": (line('NODE n2: CallFunction [FunctionName="Go"]'), 6, 37),
    "DSL315": (line("NODE n2: Delay (in Duration: Float)"), 6, 20),
    "DSL316": (line("NODE n2: FunctionResult"), 6, 10),
    "DSL401": (line("EXEC n1.Then -> n7.Execute"), 6, 17),
    "DSL402": (line("NODE n2: Delay\nEXEC n1.Then -> n2.Run"), 7, 20),
    "DSL403": (line("NODE n2: Delay\nEXEC n1.Then -> n2.Duration"), 7, 20),
    "DSL404": (line("NODE n2: Abs\nEXEC n1.Then -> n2.Execute"), 7, 20),
    "DSL405": (line("NODE n2: RandomBool\nNODE n3: Abs\nDATA n2.ReturnValue -> n3.A [Bool]"), 8, 9),
    "DSL406": (line("NODE n2: Delay\nEXEC n1.Then -> n2.Execute\nEXEC n1.Then -> n2.Execute"), 8, 1),
    "DSL407": (line("NODE n2: Sequence\nEXEC n1.Then -> n2.Execute\nEXEC n1.Then -> n3.Execute"), 8, 9),
    "DSL408": (line("NODE n2: Abs\nDATA n2.ReturnValue -> n2.A\nDATA n3.ReturnValue -> n2.A"), 8, 27),
    "DSL409": (line("NODE n2: RandomFloat\nNODE n3: Abs\nDATA n2.ReturnValue -> n3.A"), 8, 27),
    "DSL410": (line("NODE n2: RandomFloat\nNODE n3: Abs\nDATA n2.ReturnValue -> n3.A [Bool]"), 8, 30),
    "DSL411": (line("NODE n2: Abs\nDATA n2.ReturnValue -> n2.A [Float]"), 6, 6),
    "DSL501": (line("NODE n2: Delay"), 6, 6),
    "DSL502": (line("NODE n2: RandomFloat"), 6, 6),
}


def test_every_code_has_an_example_and_stands_on_the_page() -> None:
    assert set(MET) | OF_FILES == set(CODES)
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| {code} | {meaning} |" in page for code, meaning in CODES.items())


@pytest.mark.parametrize("code", MET)
def test_a_code_is_met_at_the_word_it_means(code: str) -> None:
    text, number, column = MET[code]
    places = [(d.line, d.column) for d in validate(text).diagnostics if d.code == code]
    assert (number, column) in places, [str(d) for d in validate(text).diagnostics]


def test_a_finding_writes_its_place_code_and_expectation() -> None:
    [found] = validate(MET["DSL301"][0]).errors
    assert str(found) == (
        "6:10 error DSL301: unknown node type 'Dilay'; did you mean Delay? "
        "(expected a node type of the catalog)"
    )
    with pytest.raises(ValueError, match="DSL999"):
        Diagnostic("DSL999", 1, 1, "no such code")


def test_one_line_can_have_several_findings() -> None:
    text = line('NODE n2: Delay [Duration=2x, , Duratio="\\q", Time=5 6, Duration=]')
    assert [d.code for d in parse(text).diagnostics] == ["DSL104", "DSL107", "DSL103", "DSL107", "DSL107"]
    text = line('NODE n2: CallEvent [EventNam="Go", Time=2, @Key=1] (in A: Flot, in A: Int)')
    found = sorted(d.code for d in validate(text).diagnostics if d.line == 6)
    assert found == ["DSL111", "DSL207", "DSL305", "DSL305", "DSL306"]


def test_a_broken_line_brings_no_findings_about_what_follows_from_it() -> None:
    lines = [
        "VAR Oil: <",
        "NODE n2 Delay",
        "NODE n3: CastToPawn [",
        'NODE n4: GetVar [VarName="Oil"]',
        "EXEC n1.Then -> n2.Execute",
        "EXEC n2.Completed -> n3.Execute",
        "DATA n4.Value ->",
    ]
    found = [d for d in validate(body(*lines)).diagnostics if d.severity == "error"]
    assert [d.line for d in found] == [5, 6, 7, 11]


# name: (line, the same line mended)
MENDED = {
    "a keyword in lower case": ("node n2: Abs", "NODE n2: Abs"),
    "a node type in lower case": ("NODE n2: printstring", "NODE n2: PrintString"),
    "a pin in lower case": ("NODE n2: Delay\nEXEC n1.THEN -> n2.Execute", "EXEC n1.Then -> n2.Execute"),
    "a pin by the engine's name": (
        "NODE n2: Delay\nEXEC n1.then -> n2.execute",
        "EXEC n1.Then -> n2.Execute",
    ),
    "a text without quotes": (
        "NODE n2: PrintString [InString=hello big world]",
        'NODE n2: PrintString [InString="hello big world"]',
    ),
    "a default without quotes": ("VAR Word: String = good day", 'VAR Word: String = "good day"'),
    "a graph name with a blank": ("GRAPH: My Graph\nNODE n1: Event_Tick", 'GRAPH: "My Graph"'),
    "a pin name with a blank": (
        "NODE n2: SwitchOnString\nNODE n3: Delay\nEXEC n2.Case_dark red -> n3.Execute",
        'EXEC n2."Case_dark red" -> n3.Execute',
    ),
    "a missing tag": (
        "NODE n2: RandomFloat\nNODE n3: Abs\nDATA n2.ReturnValue -> n3.A",
        "DATA n2.ReturnValue -> n3.A [Float]",
    ),
    "the tag of another type": (
        "NODE n2: RandomFloat\nNODE n3: Abs\nDATA n2.ReturnValue -> n3.A [Bool]",
        "DATA n2.ReturnValue -> n3.A [Float]",
    ),
    "an alias": ("NODE n2: VariableGet [Variable=Fuel]", 'NODE n2: GetVar [VarName="Fuel"]'),
    "blanks": ("NODE  n2 :Delay [ Duration = 2 ]", "NODE n2: Delay [Duration=2]"),
    "several at once": ("node n2: delay [duration=2]", "NODE n2: Delay [Duration=2]"),
}


@pytest.mark.parametrize("case", MENDED)
def test_fixing_mends_what_can_only_mean_one_thing(case: str) -> None:
    written, mended = MENDED[case]
    fixed = fix(line(written))
    assert fixed.errors == () and mended in fixed.text.split("\n")
    assert any(change.after == mended for change in fixed.changes)
    assert validate(fixed.text).valid and fix(fixed.text) == type(fixed)(fixed.text)


def test_a_wire_given_twice_is_removed_and_said_so() -> None:
    wire = "EXEC n1.Then -> n2.Execute"
    fixed = fix(line(f"NODE n2: Delay\n{wire}\n{wire}  # again"))
    assert fixed.text.count(wire) == 1 and "# again" in fixed.text
    assert [str(change) for change in fixed.changes] == [f"line 8: {wire} -> removed"]


@pytest.mark.parametrize(
    "text",
    [
        "NODE n2: Delai",
        "NODE n2: Delay [Duration=2",
        "what is this",
        "EXEC n1.Then -> n7.X",
        'VAR A: Int = "x"',
    ],
)
def test_a_text_with_an_error_that_needs_a_person_stays_as_it_is(text: str) -> None:
    given_text = line("node n3: Abs\n" + text)
    fixed = fix(given_text)
    assert fixed.text == given_text and fixed.changes == () and fixed.errors


def test_notes_go_with_their_statements() -> None:
    text = "# top\nBLUEPRINT: A # name\n\nPARENT: Actor\nGRAPH: G\n  # start\nNODE n1: Event_Tick # tick\n"
    text += '# var\nVAR F: Float#tight\nNODE n2: PrintString [InString="# none"]\n# go\n'
    text += "EXEC n1.Then -> n2.Execute\n#\n# end"
    assert fix(text).text == (
        "# top\nBLUEPRINT: A  # name\nPARENT: Actor\n# var\nVAR F: Float  #tight\nGRAPH: G\n"
        '# start\nNODE n1: Event_Tick  # tick\nNODE n2: PrintString [InString="# none"]\n'
        "# go\nEXEC n1.Then -> n2.Execute\n#\n# end\n"
    )


notes = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=8).map(
    lambda t: f"#{t}"
)


@settings(max_examples=30, deadline=None)
@given(wired_programs() | st.sampled_from([program(LANTERN), program(TWO_GRAPHS)]), st.data())
def test_fixing_never_loses_a_note_or_a_statement(bp: object, data: st.DataObject) -> None:
    out = []
    for row in to_text(bp).split("\n"):  # type: ignore[arg-type]
        out += data.draw(st.lists(notes, max_size=1))
        out.append(row + " " + data.draw(notes | st.just("")))
    text = "\n".join(out)
    fixed = fix(text)
    assert _notes(fixed.text) == _notes(text)
    if fixed.errors:
        assert fixed.text == text
    else:
        assert set(parse(fixed.text).blueprint.nodes()) == set(bp.nodes())  # type: ignore[attr-defined, union-attr]


def _notes(text: str) -> Counter[str]:
    return Counter(note for row in text.split("\n") if (note := comment_of(row)) is not None)
