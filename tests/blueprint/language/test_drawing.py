"""A picture shows every node, wire and value of a graph, and stays a safe, well-formed SVG for any text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from language_cases import LANTERN, TWO_GRAPHS, blueprints, body, program

from nightforge.blueprint.drawing import to_svg
from nightforge.blueprint.drawing.palette import PIN_COLOURS, pin_family
from nightforge.blueprint.graph import Blueprint, Graph, Node, Variable
from nightforge.core.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"


def drawn(bp: Blueprint, graph: str | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(bp, graph))


def titles(root: ElementTree.Element, tag: str) -> list[str]:
    """Return the hover texts of elements of one tag."""
    found = (element.find(f"{SVG}title") for element in root.iter(f"{SVG}{tag}"))
    return [title.text or "" for title in found if title is not None]


def texts(root: ElementTree.Element) -> set[str]:
    return {element.text or "" for element in root.iter(f"{SVG}text")}


def test_every_node_wire_variable_and_value_is_in_the_picture() -> None:
    bp = program(TWO_GRAPHS)
    root = drawn(bp)
    assert len([t for t in titles(root, "g") if re.search(r"\(n\d+\)$", t)]) == len(list(bp.nodes()))
    assert len(titles(root, "path")) == len(list(bp.wires()))
    assert "For Each Loop.LoopBody -> Set Total.Execute" in titles(root, "path")
    assert {"BP_Store : Character", "EventGraph", "Reward", "Total: Int = 0", "Coins"} <= texts(root)
    assert "X 0, Y 0, Z 50" in texts(root) and 'FunctionName = "Count"' in titles(root, "g")


def test_one_graph_can_be_chosen_and_an_unknown_one_is_named() -> None:
    bp = program(TWO_GRAPHS)
    assert len(titles(drawn(bp, "Reward"), "path")) == 1
    with pytest.raises(InputError, match="no graph 'Main'"):
        to_svg(bp, "Main")


def test_wires_have_the_colour_of_their_type_and_control_is_an_arrow() -> None:
    root = drawn(program(LANTERN))
    looks = [path.get("class") for path in root.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]
    assert sorted(filter(None, looks)) == [
        "bp-wire bp-bool",
        "bp-wire bp-exec",
        "bp-wire bp-exec",
        "bp-wire bp-float",
    ]


@pytest.mark.parametrize(
    ("name", "family"),
    [("exec", "exec"), ("Array<Bool>", "bool"), ("Map<String,Int>", "string"), ("BP_Door", "object")]
    + [("Vector", "vector"), ("PlayerController", "object"), ("NoSuchType", "unknown"), (None, "unknown")],
)
def test_each_type_has_its_colour(name: str | None, family: str) -> None:
    assert pin_family(name) == family


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("family", PIN_COLOURS)
def test_wires_stand_out_on_dark_and_on_light_ground(family: str) -> None:
    for colour, ground in zip(PIN_COLOURS[family], ("#1a1c20", "#f4f5f7"), strict=True):
        high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 3.0, (family, colour)


@settings(max_examples=60, deadline=None)
@given(blueprints)
def test_any_program_gives_a_well_formed_picture_without_script(bp: Blueprint) -> None:
    root = drawn(bp)
    assert root.get("role") == "img" and root.find(f"{SVG}title") is not None
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "defs", "linearGradient", "stop", "pattern", "rect"} | {
        "path",
        "circle",
        "text",
        "g",
    }
    assert not [name for element in root.iter() for name in element.keys() if name.startswith("on")]


def test_markup_in_texts_stays_text() -> None:
    evil = '</text><script>alert(1)</script>" onload="x\x00\ud800'
    nodes = (Node("n1", evil, ((evil, evil),)), Node("n2", "PrintString", (("InString", evil),)))
    bp = Blueprint(evil, evil, (Variable(evil, "String", evil),), (Graph(evil, nodes),))
    assert "<script" not in to_svg(bp)
    assert not list(drawn(bp).iter(f"{SVG}script"))


def test_a_picture_carries_light_and_dark_colours_and_nothing_from_elsewhere() -> None:
    svg = to_svg(program(body('NODE n2: PrintString [InString="a"]')))
    assert "@media (prefers-color-scheme:light)" in svg
    assert not re.findall(r"@import|@font-face|url\((?!#)|href=", svg)
    assert re.findall(r"https?://\S+?(?=\")", svg) == ["http://www.w3.org/2000/svg"]
