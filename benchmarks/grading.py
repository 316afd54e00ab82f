"""Grades generated programs against themselves and renamed, shuffled copies: all must score 1.0.

Then grades programs of 40 nodes against changed copies and against other programs: processor time per grade,
and the share of grades whose matching is proven best.
By hand  python benchmarks/grading.py --programs 10000 --large 400
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nightforge.blueprint.grading import Grade, grade
from nightforge.blueprint.graph import Blueprint, Graph, Node, Variable, Wire
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.synthesis.generate import examples

SIZE = 40
CHANGES = (1, 5, 20, 60, None)  # None: another program


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = Random(args.seed)
    stream = (example.blueprint for example in examples(rng, max_nodes=14))
    lost = 0
    times: list[float] = []
    for bp in islice(stream, args.programs):
        for text in (to_text(bp), to_text(shuffled(bp, rng))):
            found, spent = timed(bp, text)
            times.append(spent)
            lost += found.score != 1.0 or bool(found.reasons)
    print(
        f"{args.programs} programs against themselves and shuffled copies: {lost} below 1.0; {spread(times)}"
    )
    for changes in CHANGES:
        grades: list[Grade] = []
        times = []
        for _ in range(args.large // len(CHANGES)):
            bp = joined(stream, rng)
            other = joined(stream, rng) if changes is None else changed(bp, rng, changes)
            found, spent = timed(bp, to_text(shuffled(other, rng)))
            grades.append(found)
            times.append(spent)
        what = "another program" if changes is None else f"{changes:>2} changes"
        proven = sum(found.optimal for found in grades) / len(grades)
        score = sum(found.score for found in grades) / len(grades)
        print(f"{SIZE} nodes, {what}: score {score:.2f}, {proven:.1%} proven best; {spread(times)}")


def timed(bp: Blueprint, text: str) -> tuple[Grade, float]:
    """Grade and return the processor time in milliseconds."""
    start = time.process_time()
    found = grade(bp, text)
    return found, (time.process_time() - start) * 1000


def spread(times: list[float]) -> str:
    ordered = sorted(times)
    p99 = ordered[int(len(ordered) * 0.99)]
    return f"median {median(ordered):.1f} ms, p99 {p99:.1f} ms, slowest {ordered[-1]:.1f} ms"


def joined(stream: Iterator[Blueprint], rng: Random) -> Blueprint:
    """Put the graphs of some programs into one graph of about SIZE nodes."""
    nodes: list[Node] = []
    wires: list[Wire] = []
    variables: dict[str, Variable] = {}
    while len(nodes) < SIZE:
        bp = next(stream)
        graph = bp.graphs[0]
        if len(bp.graphs) > 1 or len(nodes) + len(graph.nodes) > SIZE + 1:
            continue
        ids = {node.id: f"m{len(nodes) + place}" for place, node in enumerate(graph.nodes)}
        nodes += [replace(node, id=ids[node.id]) for node in graph.nodes]
        wires += [replace(w, source=ids[w.source], target=ids[w.target]) for w in graph.wires]
        variables |= {variable.name: variable for variable in bp.variables}
    graph = Graph("EventGraph", tuple(nodes), tuple(wires))
    return shuffled(Blueprint("BP_Large", "Actor", tuple(variables.values()), (graph,)), rng)


def changed(bp: Blueprint, rng: Random, count: int) -> Blueprint:
    """Leave out and redirect wires, leave out and repeat nodes, exchange and overwrite values."""
    graph = bp.graphs[0]
    nodes, wires = list(graph.nodes), list(graph.wires)
    for number in range(count):
        what, place = rng.randrange(6), rng.randrange(len(nodes))
        node = nodes[place]
        if what == 0 and wires:
            wires.pop(rng.randrange(len(wires)))
        elif what == 1 and wires:
            at = rng.randrange(len(wires))
            kinds = {n.id: n.type for n in nodes}
            alike = [n.id for n in nodes if n.type == kinds[wires[at].target]]
            wires[at] = replace(wires[at], target=rng.choice(alike))
        elif what == 2 and len(nodes) > 2:
            nodes.remove(node)
            wires = [wire for wire in wires if node.id not in (wire.source, wire.target)]
        elif what == 3:
            nodes.append(replace(node, id=f"x{number}"))
        elif what == 4:
            other = rng.choice([at for at, n in enumerate(nodes) if n.type == node.type])
            nodes[place], nodes[other] = (
                replace(node, properties=nodes[other].properties),
                replace(nodes[other], properties=node.properties),
            )
        else:
            nodes[place] = replace(node, properties=tuple((name, "other") for name, _ in node.properties))
    return replace(bp, graphs=(replace(graph, nodes=tuple(nodes), wires=tuple(wires)),))


def shuffled(bp: Blueprint, rng: Random) -> Blueprint:
    """Return the same program with other ids and another order of everything."""
    graphs = []
    for graph in bp.graphs:
        ids = {
            node.id: f"k{n}"
            for node, n in zip(graph.nodes, rng.sample(range(999), len(graph.nodes)), strict=True)
        }
        nodes = tuple(
            replace(
                node, id=ids[node.id], properties=tuple(rng.sample(node.properties, len(node.properties)))
            )
            for node in rng.sample(graph.nodes, len(graph.nodes))
        )
        wires = tuple(
            replace(wire, source=ids[wire.source], target=ids[wire.target])
            for wire in rng.sample(graph.wires, len(graph.wires))
        )
        comments = tuple(replace(c, nodes=tuple(ids[n] for n in c.nodes)) for c in graph.comments)
        graphs.append(replace(graph, nodes=nodes, wires=wires, comments=comments))
    variables = tuple(rng.sample(bp.variables, len(bp.variables)))
    return replace(bp, variables=variables, graphs=tuple(rng.sample(graphs, len(graphs))))


if __name__ == "__main__":
    main()
