"""Finds which node of one program plays the part of which node of another, by wires and values.

The best matching makes the score highest; matching_search.py proves it or finds it, starting from a good one
found here. Two first guesses are made within each node type: by similarity that spreads along equal wires for
some rounds (as in Blondel et al. 2004), and in order, which is exec order for canonical programs. Swaps that
let more wires and values agree then improve both; the one that is worth more wins.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nightforge.blueprint.graph import Blueprint, Node, PinSpec
from nightforge.blueprint.matching_search import Joined, Task, Worth, search
from nightforge.blueprint.node_types import is_opaque
from nightforge.blueprint.printer import value_text

ROUNDS = 4
MAX_PAIRS = 40_000  # candidate pairs that get the full treatment; beyond it nodes pair up in order
MAX_SEARCHED = 1_600  # candidate pairs (40 nodes of one type) up to which a better matching is searched
MAX_NODES = 120  # wanted nodes up to which it is searched: the search is as deep
SEARCH_BUDGET = 2_500  # pairs that the search may try; about 30 ms
MAX_SWEEPS = 4
WIRE_GAIN, VALUE_GAIN = 1.0, 0.2


@dataclass(frozen=True, slots=True)
class WireEnds:
    """A wire between node indices; the written type tag is left out because the pins decide it."""

    kind: str
    source: int
    source_pin: str
    target: int
    target_pin: str

    def moved(self, mapping: dict[int, int]) -> WireEnds | None:
        """Return the wire between the partners of its ends, or None where an end has no partner."""
        source, target = mapping.get(self.source), mapping.get(self.target)
        if source is None or target is None:
            return None
        return WireEnds(self.kind, source, self.source_pin, target, self.target_pin)


@dataclass(frozen=True, slots=True)
class Flat:
    """All graphs of a program in one list of nodes and wires.

    `graphs` names the graph of each node, `values` holds its properties and user pins as they are written.
    """

    nodes: tuple[Node, ...]
    wires: tuple[WireEnds, ...]
    graphs: tuple[str, ...]
    values: tuple[dict[str, str], ...] = ()

    def describe(self, wire: WireEnds) -> str:
        """Write a wire by node types, as in `Branch.True -> PrintString.Execute`."""
        source = self.nodes[wire.source].type if wire.source >= 0 else "?"
        target = self.nodes[wire.target].type if wire.target >= 0 else "?"
        return f"{source}.{wire.source_pin} -> {target}.{wire.target_pin}"


def flatten(bp: Blueprint) -> Flat:
    """Return the nodes and wires of all graphs with indices for ids; an end without a node is -1."""
    nodes: list[Node] = []
    wires: list[WireEnds] = []
    graphs: list[str] = []
    for graph in bp.graphs:
        index: dict[str, int] = {}
        for offset, node in enumerate(graph.nodes, len(nodes)):
            index.setdefault(node.id, offset)
        nodes += graph.nodes
        graphs += [graph.name] * len(graph.nodes)
        for wire in graph.wires:
            ends = index.get(wire.source, -1), index.get(wire.target, -1)
            wires.append(WireEnds(wire.kind, ends[0], wire.source_pin, ends[1], wire.target_pin))
    return Flat(tuple(nodes), tuple(wires), tuple(graphs), tuple(map(_values, nodes)))


def _values(node: Node) -> dict[str, str]:
    """Return what is set on a node; the pins of an opaque node follow from its class and are left out."""
    values = {name: value_text(value) for name, value in node.properties}
    return values if is_opaque(node.type) else values | pin_types(node.pins)


def pin_types(pins: Iterable[PinSpec]) -> dict[str, str]:
    """Return the type of each pin by direction and name, as in `{"in Amount": "Int"}`."""
    return {f"{pin.direction} {pin.name}": pin.type for pin in pins}


def _identity(node: Node) -> str:
    """Return what must be equal for two nodes to pair up: the type, and what an opaque node refers to."""
    if not is_opaque(node.type):
        return node.type
    keys = {name: value for name, value in node.properties if name.startswith("@") and isinstance(value, str)}
    refers = sorted(f"{k}={v}" for k, v in keys.items() if k.endswith("Reference") or "'/" in v)
    return "|".join([node.type, *refers])


def node_words(flat: Flat, index: int) -> str:
    """Name a node by its type and its values, as in `Delay (Duration = 1.0)`."""
    values = ", ".join(f"{name} = {value}" for name, value in flat.values[index].items())
    return flat.nodes[index].type + (f" ({values})" if values else "")


@dataclass(frozen=True, slots=True)
class Matching:
    """A one-to-one map from wanted to given node indices; `optimal` where no other one is worth more."""

    pairs: dict[int, int]
    optimal: bool


def match_nodes(wanted: Flat, given: Flat, worth: Worth, budget: int = SEARCH_BUDGET) -> Matching:
    """Return the matching that is worth most; only nodes of one type and graph pair up.

    Opaque nodes pair up where they refer to the same thing. As many nodes as possible are matched. Where the
    programs are large or the search tries more than `budget` pairs, the best one found so far is returned and
    not called optimal.
    """
    groups = _groups(wanted, given)
    size = sum(len(here) * len(there) for here, there in groups)
    if size > MAX_PAIRS:
        return Matching({a: b for here, there in groups for a, b in zip(here, there, strict=False)}, False)
    task = _task(wanted, given, groups, worth)
    guesses = _Matcher(wanted, given, groups).guesses()
    small = size <= MAX_SEARCHED and len(wanted.nodes) <= MAX_NODES
    return Matching(*search(task, guesses, budget if small else 0))


def _task(wanted: Flat, given: Flat, groups: list[tuple[list[int], list[int]]], worth: Worth) -> Task:
    sides = [-1] * len(wanted.nodes), [-1] * len(given.nodes)
    for number, group in enumerate(groups):
        for side, members in zip(sides, group, strict=True):
            for index in members:
                side[index] = number
    mine, theirs = wanted.values, given.values
    values = {
        (a, b): (len(mine[a].items() & theirs[b].items()), len(mine[a].keys() & theirs[b].keys()))
        for here, there in groups
        for a in here
        for b in there
    }
    return Task(*sides, _joined(wanted), _joined(given), values, worth)


def _joined(flat: Flat) -> list[Joined]:
    return [(w.source, w.target, (w.kind, w.source_pin, w.target_pin)) for w in flat.wires]


def _groups(wanted: Flat, given: Flat) -> list[tuple[list[int], list[int]]]:
    partner = _pair_graphs(wanted, given)
    here: dict[tuple[str, str], list[int]] = defaultdict(list)
    there: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, node in enumerate(wanted.nodes):
        here[partner.get(wanted.graphs[index], ""), _identity(node)].append(index)
    for index, node in enumerate(given.nodes):
        there[given.graphs[index], _identity(node)].append(index)
    return [(here[key], there[key]) for key in sorted(here) if key in there]


def _pair_graphs(wanted: Flat, given: Flat) -> dict[str, str]:
    """Pair graphs by name, then the others by how many node types they share."""
    types: list[dict[str, Counter[str]]] = []
    for flat in (wanted, given):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for graph, node in zip(flat.graphs, flat.nodes, strict=True):
            counts[graph][node.type] += 1
        types.append(counts)
    pairs = {name: name for name in types[0] if name in types[1]}
    shared = sorted(
        (-sum((mine & theirs).values()), a, b)
        for a, mine in types[0].items()
        for b, theirs in types[1].items()
        if a not in pairs and b not in pairs
    )
    for _, a, b in shared:
        if a not in pairs and b not in pairs.values():
            pairs[a] = b
    return pairs


class _Matcher:
    """Guesses a matching twice and improves it against the true objective."""

    def __init__(self, wanted: Flat, given: Flat, groups: list[tuple[list[int], list[int]]]) -> None:
        self.groups = groups
        mine, theirs = wanted.values, given.values
        pairs = [(a, b) for here, there in groups for a in here for b in there]
        self.values = {(a, b): _agreement(mine[a], theirs[b]) for a, b in pairs}
        self.here, self.there = _incident(wanted), _incident(given)
        self.there_wires = {(w.source, w.target, w.kind, w.source_pin, w.target_pin) for w in given.wires}
        self.wires_at: dict[int, list[WireEnds]] = defaultdict(list)
        for wire in wanted.wires:
            for index in {wire.source, wire.target}:
                self.wires_at[index].append(wire)
        self.mapping: dict[int, int] = {}

    def guesses(self) -> Iterator[dict[int, int]]:
        """Yield the improved guesses, each worked out when it is asked for."""
        yield self._improved({a: b for here, there in self.groups for a, b in zip(here, there, strict=False)})
        if not all(len(here) == len(there) == 1 for here, there in self.groups):
            yield self._improved(self._greedy(self._spread()))

    def _improved(self, guess: dict[int, int]) -> dict[int, int]:
        self.mapping = guess
        for _ in range(MAX_SWEEPS):
            if not any([self._improve(here, there) for here, there in self.groups]):
                break
        return guess

    def _spread(self) -> dict[tuple[int, int], float]:
        """Let the similarity of neighbours over equal wires flow into each pair, at most 1 a round."""
        scores = dict(self.values)
        for _ in range(ROUNDS):
            fresh = {}
            for (a, b), own in self.values.items():
                flow = 0.0
                theirs = self.there[b]
                for how, neighbours in self.here[a].items():
                    for n in neighbours:
                        flow += max((scores.get((n, m), 0.0) for m in theirs.get(how, ())), default=0.0)
                degree = max(sum(map(len, self.here[a].values())), sum(map(len, theirs.values())), 1)
                fresh[a, b] = 0.3 * own + 0.7 * flow / degree
            scores = fresh
        return scores

    def _greedy(self, scores: dict[tuple[int, int], float]) -> dict[int, int]:
        mapping: dict[int, int] = {}
        used: set[int] = set()
        for (a, b), _ in sorted(scores.items(), key=lambda item: (-item[1], abs(item[0][0] - item[0][1]))):
            if a not in mapping and b not in used:
                mapping[a] = b
                used.add(b)
        return mapping

    def _improve(self, here: list[int], there: list[int]) -> bool:
        """Try every swap of partners and every change to a free one in one group; keep those that help."""
        improved = False
        holders = {self.mapping[a]: a for a in here if a in self.mapping}
        best = {a: len(self.wires_at[a]) * WIRE_GAIN + VALUE_GAIN for a in here}
        for a in here:
            for b in there:
                current, holder = self.mapping.get(a), holders.get(b)
                touched = (a,) if holder is None else (a, holder)
                if current == b:
                    continue
                before = self._gain(touched)
                if before >= sum(best[index] for index in touched) - 1e-9:
                    continue  # nothing left to win here
                self._assign(holders, (a, b), (holder, current))
                if self._gain(touched) > before + 1e-9:
                    improved = True
                else:
                    self._assign(holders, (a, current), (holder, b))
        return improved

    def _assign(self, holders: dict[int, int], *pairs: tuple[int | None, int | None]) -> None:
        for index, _ in pairs:
            if index is not None:
                holders.pop(self.mapping.pop(index, -1), None)
        for index, partner in pairs:
            if index is not None and partner is not None:
                self.mapping[index] = partner
                holders[partner] = index

    def _gain(self, touched: Iterable[int]) -> float:
        """Return how many wires and values at some wanted nodes agree under the current mapping."""
        total = 0.0
        seen: set[int] = set()
        mapping, there = self.mapping, self.there_wires
        for index in touched:
            for wire in self.wires_at[index]:
                if wire.source in seen or wire.target in seen:
                    continue
                ends = (mapping.get(wire.source), mapping.get(wire.target))
                total += WIRE_GAIN * ((*ends, wire.kind, wire.source_pin, wire.target_pin) in there)
            seen.add(index)
            if index in mapping:
                total += VALUE_GAIN * self.values[index, mapping[index]]
        return total


def _agreement(mine: dict[str, str], theirs: dict[str, str]) -> float:
    names = mine.keys() | theirs.keys()
    return sum(mine.get(name) == theirs.get(name) for name in names) / len(names) if names else 1.0


def _incident(flat: Flat) -> list[dict[str, list[int]]]:
    rows: list[dict[str, list[int]]] = [{} for _ in flat.nodes]
    for wire in flat.wires:
        if wire.source < 0 or wire.target < 0:
            continue
        pins = f"{wire.kind}|{wire.source_pin}|{wire.target_pin}"
        rows[wire.source].setdefault(f"out|{pins}|{flat.nodes[wire.target].type}", []).append(wire.target)
        rows[wire.target].setdefault(f"in|{pins}|{flat.nodes[wire.source].type}", []).append(wire.source)
    return rows
