"""What is written for the clipboard is read back as the same program: every node type, lessons, generated."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from clipboard_checker import check
from clipboard_programs import lesson_programs, literal_of, program_of, read_back, same

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.clipboard.conversions import with_conversions
from nightforge.blueprint.clipboard.translate import translate
from nightforge.blueprint.clipboard.writer import to_clipboard, write_graphs
from nightforge.blueprint.graph import Blueprint, Comment, Graph, Node, PinSpec, Variable, Wire
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.synthesis.generate import generate


def text_of(source: str) -> Blueprint:
    program = parse(source.strip() + "\n").blueprint
    assert program is not None
    return program


def test_every_node_type_is_read_back_as_itself() -> None:
    wrong = []
    for node_type in load_catalog().nodes.values():
        bp = program_of(node_type)
        check(to_clipboard(bp))
        if not same(read_back(bp), bp):
            wrong.append(node_type.name)
    assert wrong == []


@pytest.mark.slow
def test_every_literal_of_every_node_type_is_read_back() -> None:
    wrong, kinds = [], set()
    for node_type in load_catalog().nodes.values():
        bp = program_of(node_type)
        node = bp.graphs[0].nodes[0]
        values = {pin.name: literal_of(pin.type) for pin in node_type.inputs if not pin.dynamic}
        given = tuple((name, value) for name, value in values.items() if value is not None)
        if not given or node.type != node_type.name:
            continue
        kinds |= {pin.type for pin in node_type.inputs if values.get(pin.name) is not None}
        nodes = (replace(node, properties=node.properties + given), *bp.graphs[0].nodes[1:])
        bp = replace(bp, graphs=(replace(bp.graphs[0], nodes=nodes), *bp.graphs[1:]))
        if not same(read_back(bp), bp):
            wrong.append(node_type.name)
    assert wrong == []
    assert {"Bool", "Int", "Float", "String", "Name", "Text", "Vector", "Rotator", "LinearColor"} <= kinds


@pytest.mark.slow
def test_every_program_of_the_lessons_is_read_back() -> None:
    programs = lesson_programs()
    assert len(programs) >= 180
    for name, bp in programs:
        check(to_clipboard(bp))
        assert same(read_back(bp), bp), name


@pytest.mark.slow
def test_generated_programs_are_read_back() -> None:
    for example in generate(random.Random(5), 300):
        check(to_clipboard(example.blueprint))
        assert same(read_back(example.blueprint), example.blueprint), example.text


SIGNATURE = (
    'in Execute: exec, in StartingPosition: Float, out "On Completed": exec, '
    "out Left: \"/Script/CoreUObject.ScriptStruct'/Game/Yard/S_Left.S_Left'\""
)
EVERYTHING = r"""
BLUEPRINT: BP_Lantern
PARENT: Actor
VAR Fuel: Int = 30
VAR Names: Array<String>
VAR Prices: Map<Name,Float>
GRAPH: EventGraph
NODE n1: Event_CustomEvent [EventName="Light", @NodeComment="\"lamp\""] (out Power: Float, out "Who?": Actor)
NODE n2: GetVar [VarName="Fuel"]
NODE n3: GreaterThan [B=5.0]
DATA n2.Value -> n3.A [Int]
NODE n4: Branch
EXEC n1.Then -> n4.Execute
DATA n3.ReturnValue -> n4.Condition [Bool]
NODE n5: Sequence (out Then_3: exec)
EXEC n4.True -> n5.Execute
NODE n6: PrintString [InString="it's \"on\"\nnow", bPrintToLog=false]
EXEC n5.Then_2 -> n6.Execute
NODE n7: SetActorLocation [NewLocation=(X=1.5,Y=-2.0,Z=1e-07)]
EXEC n6.Then -> n7.Execute
NODE n8: SpawnActorFromClass [ActorClass="BP_Spark"]
EXEC n7.Then -> n8.Execute
NODE n9: CallFunction [FunctionName="Measure", Size=2.0]
EXEC n8.Then -> n9.Execute
NODE n10: K2Node_PlayMontage [StartingPosition=0.5, @Speed="2"] (SIGNATURE)
EXEC n9.Then -> n10.Execute
NODE n11: ForEachLoop
NODE n12: GetVar [VarName="Names"]
EXEC n10."On Completed" -> n11.Execute
DATA n12.Value -> n11.Array [Array<String>]
NODE n13: PrintString
EXEC n11.LoopBody -> n13.Execute
DATA n11.ArrayElement -> n13.InString [String]
NODE n14: CallMacro [MacroName="Twice", Count=3]
EXEC n11.Completed -> n14.Go
COMMENT: "measures, \"then\"\nplays" (n9, n10)
COMMENT: "says it" (n6)
COMMENT: "everything behind" (n9, n10, n11)
COMMENT: "nothing" 
FUNCTION: Measure (in Size: Float, out Large: Bool)
NODE a1: FunctionEntry
NODE a2: GreaterThan [B=1.0]
DATA a1.Size -> a2.A [Float]
NODE a3: FunctionResult
EXEC a1.Then -> a3.Execute
DATA a2.ReturnValue -> a3.Large [Bool]
MACRO: Twice (in Go: exec, in Count: Int, out Done: exec)
NODE m1: FunctionEntry
NODE m2: FunctionResult
EXEC m1.Go -> m2.Done
""".replace("SIGNATURE", SIGNATURE)


def test_a_program_with_everything_is_read_back() -> None:
    bp = text_of(EVERYTHING)
    check(to_clipboard(bp))
    back = read_back(bp)
    assert same(back, bp), to_text(back)
    assert [comment.text for comment in back.graphs[0].comments] == [c.text for c in bp.graphs[0].comments]


HOSTILE = 'a "b"\n\t(c),=]\\ é😀\' !'


def test_hostile_names_and_texts_are_read_back() -> None:
    odd = (PinSpec("in", HOSTILE, "Int"), PinSpec("in", "", "exec"), PinSpec("out", "", "exec"))
    raw = (("@Key", '"raw, (x)"'), ("@CustomProperties(0)", "CustomProperties Foo (a=1)"))
    event = Node("n2", "Event_CustomEvent", (("EventName", HOSTILE),), (PinSpec("out", HOSTILE, "Int"),))
    nodes = (
        Node("n1", "GetVar", (("VarName", HOSTILE),)),
        event,
        Node("n3", "K2Node_Odd", ((HOSTILE, 5), *raw), odd),
        Node("n4", "SwitchOnString"),
        Node("n5", "PrintString", (("InString", HOSTILE),)),
        Node("n6", "CallEvent", (("EventName", HOSTILE), (HOSTILE, 3))),
    )
    wires = (
        Wire("exec", "n2", "Then", "n3", ""),
        Wire("exec", "n3", "", "n4", "Execute"),
        Wire("exec", "n4", f"Case_{HOSTILE}", "n5", "Execute"),
        Wire("data", "n1", "Value", "n4", "Selection"),
    )
    graph = Graph("My Graph", nodes, wires, comments=(Comment(HOSTILE, ("n1", "n5")),))
    bp = Blueprint("BP_Test", "Actor", (Variable(HOSTILE, "String"),), (graph,))
    check(to_clipboard(bp))
    assert same(read_back(bp), bp)


def test_the_second_round_gives_the_same_text() -> None:
    first = translate(to_clipboard(text_of(EVERYTHING))).documents[0]
    second = translate(to_clipboard(first.blueprint), parent=first.blueprint.parent).documents[0]
    assert second.text == first.text


def test_a_conversion_stands_in_the_wire_and_is_taken_out_again() -> None:
    bp = text_of(EVERYTHING)
    widened, added = with_conversions(bp, bp.graphs[0])
    assert len(added) == 1  # the Int that is compared with a Float
    assert len(widened.wires) == len(bp.graphs[0].wires) + 1
    text = to_clipboard(bp)
    assert 'MemberName="Conv_IntToDouble"' in text
    back = read_back(bp)
    assert not any("Conv_" in str(node) for node in back.nodes())


def test_a_conversion_of_the_editor_stays_a_node() -> None:
    text = to_clipboard(text_of(EVERYTHING))
    lines = text.splitlines()
    place = next(index for index, line in enumerate(lines) if "Conv_IntToDouble" in line)
    guid = next(index for index in range(place, len(lines)) if "NodeGuid=" in lines[index])
    lines[guid] = "   NodeGuid=" + "0123456789ABCDEF" * 2
    back = translate("\n".join(lines)).documents[0].blueprint
    assert len(list(back.nodes())) == len(list(text_of(EVERYTHING).nodes())) + 1


def test_comment_boxes_hold_their_nodes_and_no_others() -> None:
    nodes = tuple(Node(f"n{n}", "PrintString") for n in range(12))
    comments = (
        Comment("odd", ("n1", "n3", "n5")),
        Comment("low", ("n0", "n1", "n2")),
        Comment("none", ()),
        Comment("one of low", ("n2",)),
    )
    bp = Blueprint("BP_Box", "Actor", (), (Graph("EventGraph", nodes, comments=comments),))
    back = read_back(bp).graphs[0]
    names = {f"n{n + 1}": f"n{n}" for n in range(12)}  # the reader counts from one
    found = [tuple(sorted(names[node] for node in comment.nodes)) for comment in back.comments]
    assert found == [comment.nodes for comment in comments]


def test_what_is_counted_is_what_is_written() -> None:
    bp = text_of(EVERYTHING)
    written = write_graphs(bp, bp.graphs)
    blocks = check(written.text)
    assert len(blocks) == written.nodes + written.comments
    assert sum(len(pin.links) for block in blocks for pin in block.pins) == 2 * written.links
    assert written.nodes - written.conversions == len(list(bp.nodes()))
    assert written.links - written.conversions == len(list(bp.wires()))
