"""What the generator of scope `catalog` gives: speed, structures, coverage of the catalog, lengths, validity.

Reads    nothing
Writes   a table on standard output
By hand  python benchmarks/generator.py [COUNT] [SEED] [--nodes N]
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from statistics import mean, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nightforge.blueprint.canonical import structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.synthesis.grown import Request, grow, problems

FIRST = 1000  # pairs whose time is told alone
CHECKED = 5000  # pairs that are validated and compared once more; the generator checks every one itself


def main(count: int, seed: int, nodes: int) -> None:
    stream = grow(Random(seed), Request(max_nodes=nodes))
    next(stream)  # reads the catalog
    instructions: set[str] = set()
    structures: Counter[str] = Counter()
    types: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    sizes, asked, written = [], [], []
    valid = warned = true = 0
    cpu = wall = first = 0.0
    for number in range(count):
        began, began_wall = time.process_time(), time.perf_counter()
        example = next(stream)
        text = example.text
        cpu, wall = cpu + time.process_time() - began, wall + time.perf_counter() - began_wall
        first = cpu if number < FIRST else first
        if number < CHECKED:
            result = validate(text)
            valid += result.valid
            warned += bool(result.diagnostics)
            true += not problems(example.instruction, example.blueprint)
        instructions.add(example.instruction)
        structures[structure_key(example.blueprint)] += 1
        types.update({node.type for node in example.blueprint.nodes()})
        levels[example.patterns[0]] += 1
        sizes.append(sum(1 for _ in example.blueprint.nodes()))
        asked.append(len(example.instruction))
        written.append(len(text))
    known = load_catalog().nodes
    rows = {
        "pairs": count,
        "CPU seconds for the first 1,000, checked": f"{first * FIRST / min(FIRST, count):.1f}",
        "pairs per CPU second; per second of the clock": f"{count / cpu:.0f}; {count / wall:.0f}",
        "distinct instructions": len(instructions),
        "distinct structures": len(structures),
        "pairs of the commonest structure": structures.most_common(1)[0][1],
        "node types of the catalog that occur": f"{len(set(types) & set(known))} of {len(known)}",
        "rarest node type, share of pairs": f"{min(types[name] for name in known) / count:.2%}",
        "read back and validated; valid; with a warning": f"{min(count, CHECKED)}; {valid}; {warned}",
        "of these, instructions that state their program": true,
        "easy, medium, hard": ", ".join(f"{levels[name] / count:.0%}" for name in ("easy", "medium", "hard")),
        "nodes, mean and 95th percentile": _spread(sizes),
        "instruction characters, mean and 95th percentile": _spread(asked),
        "program characters, mean and 95th percentile": _spread(written),
    }
    print("| figure | value |\n|---|---:|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def _spread(values: list[int]) -> str:
    return f"{mean(values):.1f}, {quantiles(values, n=20)[-1]:.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=5000)
    parser.add_argument("seed", nargs="?", type=int, default=7)
    parser.add_argument("--nodes", type=int, default=12)
    given = parser.parse_args()
    main(given.count, given.seed, given.nodes)
