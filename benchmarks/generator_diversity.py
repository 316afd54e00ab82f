"""How different the generated programs are: structures, sizes, lengths, speed.

Reads    nothing
Writes   a table on standard output
By hand  python benchmarks/generator_diversity.py [COUNT] [SEED]
"""

import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from statistics import mean, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nightforge.blueprint.canonical import content_key, structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.synthesis import generate


def main(count: int, seed: int) -> None:
    started = time.process_time()
    examples = generate(Random(seed), count)
    seconds = time.process_time() - started
    structures = Counter(structure_key(example.blueprint) for example in examples)
    sizes = [sum(1 for _ in example.blueprint.nodes()) for example in examples]
    types = Counter(t for e in examples for t in {node.type for node in e.blueprint.nodes()})
    spans = {
        "instruction": [len(e.instruction) for e in examples],
        "program": [len(e.text) for e in examples],
    }
    rows = {
        "examples": count,
        "distinct instructions": len({example.instruction for example in examples}),
        "distinct contents": len({content_key(example.blueprint) for example in examples}),
        "distinct structures": len(structures),
        "rows of the commonest structure": structures.most_common(1)[0][1],
        "node types used": f"{len(types)} of {len(load_catalog().nodes)}",
        "rarest type, share of examples": f"{min(types.values()) / count:.2%}",
        "nodes, mean": f"{mean(sizes):.1f}",
        "programs of 2 to 8 nodes": f"{sum(size <= 8 for size in sizes) / count:.0%}",
        "CPU seconds, canonical and checked": f"{seconds:.1f}",
    }
    for name, lengths in spans.items():
        rows[f"{name} characters, mean and 95th percentile"] = (
            f"{mean(lengths):.0f}, {quantiles(lengths, n=20)[-1]:.0f}"
        )
    print("| figure | value |\n|---|---:|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:3]]
    main(*(numbers + [5000, 7][len(numbers) :]))
