"""Translates a clipboard text into programs: one per asset, each graph with its nodes, wires and comments.

Every translation carries a ledger; a difference between text and program is an error, never a shorter program.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nightforge.blueprint.clipboard.accounts import account
from nightforge.blueprint.clipboard.building import BuiltGraph, build_graph
from nightforge.blueprint.clipboard.definitions import Definitions, header_pins
from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.grouping import RawAsset, RawGraph, group
from nightforge.blueprint.clipboard.kinds import is_comment, refuse_foreign
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
    """Translate a clipboard text; `name` serves where the text names no asset, `parent` overrides the inferred one.

    Raises ClipboardError for a text that can't be read, is no Blueprint graph, or would not be kept whole.
    """
    blocks = read_objects(text)
    refuse_foreign(blocks)
    result = Translation()
    for asset in group(blocks):
        document = translate_asset(asset, name, parent)
        result.documents.append(document)
        result.ledger.add(document.ledger)
    if not result.documents:
        raise ClipboardError("CLIP101", "the text holds no object")
    return result


def translate_asset(asset: RawAsset, name: str, parent: str | None) -> Document:
    """Translate one asset; raises ClipboardError where something would be lost."""
    notes: list[str] = []
    names = _graph_names(asset)
    definitions = Definitions.of(asset, names)
    built = [build_graph(graph, definitions, notes) for graph in asset.graphs]
    variables = declarations(asset, notes)
    inferred = parent or infer_parent(asset)
    if inferred is None:
        inferred = DEFAULT_PARENT
        notes.append(
            f"the text doesn't say the parent class; {DEFAULT_PARENT} is assumed, --parent names another"
        )
    graphs = tuple(
        Graph(
            names[index],
            graph.nodes,
            graph.wires,
            kind=raw.kind if graph.header is not None else "graph",  # type: ignore[arg-type]
            pins=graph.header or (),
            comments=graph.comments,
        )
        for index, (raw, graph) in enumerate(zip(asset.graphs, built, strict=True))
    )
    blueprint = _tagged(Blueprint(asset.place.asset_name or name, inferred, variables, graphs))
    written = to_text(blueprint)
    ledger = account(asset, built, blueprint, written)
    ledger.demand_all()
    return Document(blueprint, written, ledger, tuple(dict.fromkeys(notes)))


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
