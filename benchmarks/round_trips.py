"""Every generated program must survive: printed and parsed, written for the clipboard and read back, graded
against itself and against a renamed, shuffled copy. All must agree.

By hand  python benchmarks/round_trips.py --programs 10000      (a quarter of an hour on one core)
"""

import argparse
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.grading import shuffled
from nightforge.blueprint.canonical import content_key
from nightforge.blueprint.clipboard.translate import translate
from nightforge.blueprint.clipboard.writer import to_clipboard
from nightforge.blueprint.grading import grade
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.synthesis.grown import Request, grow

LAWS = ("printed and parsed", "through the clipboard", "graded 1.0", "shuffled graded 1.0")


def pasted(bp: Blueprint) -> Blueprint | None:
    """Return what is read back from the clipboard's text; what that cannot carry is put back."""
    documents = translate(to_clipboard(bp), bp.name, bp.parent).documents
    if len(documents) != 1:
        return None
    return replace(documents[0].blueprint, parent=bp.parent, variables=bp.variables, category=bp.category)


def kept(bp: Blueprint, rng: Random) -> list[bool]:
    """Say for each of LAWS whether it holds for a program."""
    text = to_text(bp)
    back = pasted(bp)
    own, other = grade(bp, text), grade(bp, to_text(shuffled(bp, rng)))
    return [
        parse(text).blueprint == bp,
        back is not None and content_key(back) == content_key(bp),
        own.score == 1.0 and not own.reasons,
        other.score == 1.0 and not other.reasons,
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, copies = Random(args.seed), Random(args.seed + 1)
    held, types, nodes = [0] * len(LAWS), set(), 0
    began = time.process_time()
    for example in islice(grow(rng, Request(max_nodes=16)), args.programs):
        types |= {node.type for node in example.blueprint.nodes()}
        nodes += sum(1 for _ in example.blueprint.nodes())
        for place, holds in enumerate(kept(example.blueprint, copies)):
            held[place] += holds
            if not holds:
                print(f"{LAWS[place]} fails for\n{example.text}")
    for law, count in zip(LAWS, held, strict=True):
        print(f"{law}: {count} of {args.programs}")
    seconds = time.process_time() - began
    print(f"{len(types)} node types, {nodes} nodes, {seconds:.0f} s of processor time")
    return int(min(held) < args.programs)


if __name__ == "__main__":
    sys.exit(main())
