"""Nodes never overlap, events stand at the left, control and data run to the right."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_cases import LANTERN, TWO_GRAPHS, body, program, wired_programs

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Blueprint, Comment, Graph, Node, Wire
from nightforge.blueprint.layout import Box, comment_box, comment_boxes, layout


def random_graph(rng: Random, size: int, wires: int) -> Blueprint:
    """Return a program of catalog nodes with wires anywhere: loops, joins, loose pieces."""
    kinds = list(load_catalog().nodes.values())
    members = [(Node(f"n{i}", kind.name), kind) for i, kind in enumerate(rng.choices(kinds, k=size))]
    joined = []
    while len(joined) < wires:
        (a, source), (b, target) = rng.choice(members), rng.choice(members)
        if source.outputs and target.inputs:
            out, into = rng.choice(source.outputs), rng.choice(target.inputs)
            names = [pin.name.replace("#", str(rng.randrange(4))).replace("*", "x") for pin in (out, into)]
            joined.append(Wire("exec" if out.is_exec else "data", a.id, names[0], b.id, names[1]))
    nodes = tuple(node for node, _ in members)
    return Blueprint("A", "Actor", (), (Graph("EventGraph", nodes, tuple(joined)),))


def overlaps(boxes: list[Box]) -> list[tuple[Box, Box]]:
    ordered = sorted(boxes, key=lambda box: box.x)
    found = []
    for place, box in enumerate(ordered):
        for other in ordered[place + 1 :]:
            if other.x >= box.right:
                break
            if other.y < box.bottom and box.y < other.bottom:
                found.append((box, other))
    return found


@pytest.mark.parametrize(("size", "wires"), [(1, 0), (2, 3), (12, 10), (40, 60), (120, 90), (200, 600)])
def test_no_boxes_overlap_in_any_graph(size: int, wires: int) -> None:
    for seed in range(3):
        bp = random_graph(Random(seed), size, wires)
        boxes = layout(bp, bp.graphs[0])
        assert boxes.keys() == {node.id for node in bp.graphs[0].nodes}
        assert overlaps(list(boxes.values())) == []
        for box in boxes.values():
            assert all(value % 16 == 0 for value in (box.x, box.y, box.width, box.height))
            assert box.width > 0 and box.height > 0


@settings(max_examples=40, deadline=None)
@given(wired_programs(), st.booleans())
def test_drawn_programs_do_not_overlap_and_keep_their_places(bp: Blueprint, again: bool) -> None:
    boxes = layout(bp, bp.graphs[0])
    assert overlaps(list(boxes.values())) == []
    assert not again or layout(bp, bp.graphs[0]) == boxes


@pytest.mark.parametrize("text", [LANTERN, TWO_GRAPHS])
def test_wires_run_to_the_right_and_events_stand_at_the_left(text: str) -> None:
    bp = program(text)
    for graph in bp.graphs:
        boxes = layout(bp, graph)
        for wire in graph.wires:
            assert boxes[wire.source].right < boxes[wire.target].x, wire
        events = [boxes[node.id] for node in graph.nodes if node.type.startswith("Event")]
        assert {box.x for box in events} <= {0}
        assert [box.y for box in events] == sorted({box.y for box in events})


def test_a_chain_of_control_is_one_straight_row_with_the_second_branch_below() -> None:
    bp = program(
        body(
            "NODE n2: Branch [Condition=true]",
            "NODE n3: PrintString",
            "NODE n4: PrintString",
            "NODE n5: PrintString",
            "EXEC n1.Then -> n2.Execute",
            "EXEC n2.True -> n3.Execute",
            "EXEC n3.Then -> n4.Execute",
            "EXEC n2.False -> n5.Execute",
        )
    )
    boxes = layout(bp, bp.graphs[0])
    assert boxes["n1"].y == boxes["n2"].y == boxes["n3"].y == boxes["n4"].y < boxes["n5"].y
    assert boxes["n3"].x == boxes["n5"].x


def test_a_pure_node_stands_right_before_the_first_node_that_reads_it() -> None:
    boxes = layout(bp := program(LANTERN), bp.graphs[0])
    assert boxes["n2"].right < boxes["n3"].x < boxes["n3"].right < boxes["n4"].x
    assert boxes["n3"].right == max(boxes[n].right for n in ("n1", "n2", "n3"))


def test_a_loop_of_control_and_a_loop_of_values_are_placed() -> None:
    lines = ["NODE n2: Delay", "NODE n3: AddInt", "NODE n4: AddInt"]
    lines += ["EXEC n1.Then -> n2.Execute", "EXEC n2.Completed -> n2.Execute"]
    lines += ["DATA n3.ReturnValue -> n4.A", "DATA n4.ReturnValue -> n3.A"]
    bp = program(body(*lines))
    assert overlaps(list(layout(bp, bp.graphs[0]).values())) == []


def test_five_hundred_nodes_are_placed_quickly_and_a_chain_of_five_thousand_at_all() -> None:
    bp = random_graph(Random(7), 500, 900)
    start = time.perf_counter()
    layout(bp, bp.graphs[0])
    assert time.perf_counter() - start < 1.0
    nodes = tuple(Node(f"n{i}", "Branch") for i in range(5000))
    wires = tuple(
        Wire("exec", f"n{i}", "False" if i % 2 else "True", f"n{i + 1}", "Execute") for i in range(4999)
    )
    long = Blueprint("A", "Actor", (), (Graph("EventGraph", nodes, wires),))
    assert len(layout(long, long.graphs[0])) == 5000


def test_a_comment_box_holds_its_nodes() -> None:
    boxes = {"a": Box(0, 0, 160, 64), "b": Box(320, 160, 160, 64)}
    found = comment_box(boxes, ("a", "b", "gone"))
    assert found == Box(-32, -80, 544, 336)
    assert comment_box(boxes, ()) is None


def holds(box: Box, other: Box) -> bool:
    return box.x <= other.x and box.y <= other.y and other.right <= box.right and other.bottom <= box.bottom


@pytest.mark.parametrize("seed", range(12))
def test_comment_boxes_hold_their_nodes_and_no_others(seed: int) -> None:
    rng = Random(seed)
    bp = random_graph(rng, 40, 45)
    ids = [node.id for node in bp.graphs[0].nodes]
    rng.shuffle(ids)
    groups = [ids[:12], ids[2:9], ids[3:6], ids[3:6], ids[12:20], ids[20:21], ids[:12], [], ids]
    rng.shuffle(groups)
    graph = replace(bp.graphs[0], comments=tuple(Comment(str(i), tuple(g)) for i, g in enumerate(groups)))
    boxes = layout(bp, graph)
    found = comment_boxes(graph, boxes)
    assert overlaps(list(boxes.values())) == []
    for box, group in zip(found, groups, strict=True):
        assert all(value % 16 == 0 for value in (box.x, box.y, box.width, box.height))
        assert {node_id for node_id, other in boxes.items() if holds(box, other)} == set(group)
        assert group or not [
            other for other in (*boxes.values(), *found) if other != box and overlaps([box, other])
        ]
    for box, group in zip(found, groups, strict=True):
        inside = [
            set(inner)
            for other, inner in zip(found, groups, strict=True)
            if other != box and holds(box, other)
        ]
        assert all(inner <= set(group) for inner in inside)


def test_comments_that_cut_into_each_other_and_deep_nesting_are_placed() -> None:
    bp = random_graph(Random(1), 60, 60)
    ids = [node.id for node in bp.graphs[0].nodes]
    cutting = [ids[:20], ids[10:30], ids[25:40], ["gone"], *(ids[: 60 - n] for n in range(1, 59))]
    graph = replace(bp.graphs[0], comments=tuple(Comment("c", tuple(g)) for g in cutting))
    boxes = layout(bp, graph)
    assert overlaps(list(boxes.values())) == []
    for box, group in zip(comment_boxes(graph, boxes), cutting, strict=True):
        assert all(holds(box, boxes[node_id]) for node_id in group if node_id in boxes)
