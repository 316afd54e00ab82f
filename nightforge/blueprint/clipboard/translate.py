"""Translates a clipboard text into programs: one per asset, each graph with its nodes, wires and comments.

Every translation carries a ledger; a difference between text and program is an error, not a shorter program.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nightforge.blueprint.clipboard.accounts import account
from nightforge.blueprint.clipboard.building import BuiltGraph, build_graph
from nightforge.blueprint.clipboard.definitions import Definitions
from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.fitting import misfitting_nodes
from nightforge.blueprint.clipboard.grouping import RawAsset, RawGraph, group
from nightforge.blueprint.clipboard.kinds import refuse_foreign
from nightforge.blueprint.clipboard.ledger import Ledger
from nightforge.blueprint.clipboard.parents import infer_parent
from nightforge.blueprint.clipboard.reading import read_objects
from nightforge.blueprint.clipboard.variables import declarations
from nightforge.blueprint.graph import Blueprint, Graph, Wire
from nightforge.blueprint.parser import parse
from nightforge.blueprint.pin_types import PinTypes
from nightforge.blueprint.printer import to_text

DEFAULT_PARENT = "Actor"


@dataclass(frozen=True, slots=True)
class Document:
    """One program of a text with its ledger and what was unusual about it, in words."""

    blueprint: Blueprint
    text: str
    ledger: Ledger
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Translation:
    """All programs of one clipboard text and the sum of their ledgers."""

    documents: list[Document] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def notes(self) -> list[str]:
        """Return the notes of every document."""
        return [note for document in self.documents for note in document.notes]


def translate(text: str, name: str = "Clipboard", parent: str | None = None) -> Translation:
    """Translate a text; `name` serves where the text names no asset, `parent` overrides the inferred class.

    Raises ClipboardError for a text that can't be read, is no Blueprint graph, or would not be kept whole.
    """
    blocks = read_objects(text)
    refuse_foreign(blocks)
    result = Translation()
    for asset in group(blocks):
        try:
            document = translate_asset(asset, name, parent)
        except ValueError as error:  # the model of programs refuses a name or a type that only damage makes
            raise ClipboardError("CLIP105", f"no program can hold this text: {error}") from error
        result.documents.append(document)
        result.ledger.add(document.ledger)
    if not result.documents:
        raise ClipboardError("CLIP101", "the text holds no object")
    return result


def translate_asset(asset: RawAsset, name: str, parent: str | None) -> Document:
    """Translate one asset; raises ClipboardError where something would be lost.

    Where a node of the catalog makes the program contradict itself although the editor had it so, as when the
    catalog gives a pin a more general class, that node is kept as an opaque one.
    """
    notes: list[str] = []
    names = _graph_names(asset)
    definitions = Definitions.of(asset, names)
    variables = declarations(asset, notes)
    inferred = parent or infer_parent(asset)
    if inferred is None:
        inferred = DEFAULT_PARENT
        notes.append(f"the text has no parent class; {DEFAULT_PARENT} is assumed, --parent names another")
    opaque: list[set[str]] = [set() for _ in asset.graphs]
    while True:
        found: list[str] = []
        built = [
            build_graph(graph, definitions, found, stubborn)
            for graph, stubborn in zip(asset.graphs, opaque, strict=True)
        ]
        graphs = tuple(
            _graph(text, raw, graph) for text, raw, graph in zip(names, asset.graphs, built, strict=True)
        )
        blueprint = _tagged(Blueprint(asset.place.asset_name or name, inferred, variables, graphs))
        written = to_text(blueprint)
        back = parse(written)
        misfits = misfitting_nodes(back)
        if not any(new - old for new, old in zip(misfits, opaque, strict=True)):
            break
        opaque = [old | new for old, new in zip(opaque, misfits, strict=True)]
    ledger = account(asset, built, blueprint, back)
    ledger.demand_all()
    return Document(blueprint, written, ledger, tuple(dict.fromkeys([*notes, *found])))


def _graph(name: str, raw: RawGraph, built: BuiltGraph) -> Graph:
    kind = raw.kind if built.header is not None else "graph"
    pins = built.header or ()
    return Graph(name, built.nodes, built.wires, kind=kind, pins=pins, comments=built.comments)


def _graph_names(asset: RawAsset) -> list[str]:
    """Return a name for each graph; a second one of the same name gets a number."""
    used: set[str] = set()
    names = []
    for graph in asset.graphs:
        wanted = graph.name
        count = 2
        while wanted in used:
            wanted = f"{graph.name} ({count})"
            count += 1
        used.add(wanted)
        names.append(wanted)
    return names


def _tagged(bp: Blueprint) -> Blueprint:
    """Tag every data wire with the type the language gives its source, where it gives one."""
    graphs = []
    for graph in bp.graphs:
        types = PinTypes(bp, graph)
        wires = []
        for wire in graph.wires:
            known = types.output(wire.source, wire.source_pin) if wire.kind == "data" else None
            kind = known if known not in (None, "exec") else wire.type
            wires.append(Wire(wire.kind, wire.source, wire.source_pin, wire.target, wire.target_pin, kind))
        graphs.append(
            Graph(
                graph.name,
                graph.nodes,
                tuple(wires),
                kind=graph.kind,
                pins=graph.pins,
                comments=graph.comments,
            )
        )
    return Blueprint(bp.name, bp.parent, bp.variables, tuple(graphs), bp.category)
