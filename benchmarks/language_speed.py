"""How fast programs are read, checked, printed and fixed on one core, in lines of text per second.

Run from the project root: python benchmarks/language_speed.py [PROGRAMS]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nightforge.blueprint.check import validate
from nightforge.blueprint.fixing import fix
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.synthesis.generate import generate


def rate(work: Callable[[str], object], texts: list[str]) -> float:
    """Return lines per second of processor time, the best of three runs."""
    lines = sum(text.count("\n") for text in texts)
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - started)
    return lines / best


def main() -> None:
    programs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    examples = generate(Random(1), programs)
    texts = [example.text for example in examples]
    built = {example.text: example.blueprint for example in examples}
    megabytes = sum(len(text) for text in texts) / 1e6
    print(f"{programs} generated programs, {sum(t.count(chr(10)) for t in texts)} lines, {megabytes:.2f} MB")
    works: dict[str, Callable[[str], object]] = {
        "parse": parse,
        "validate (parse and check)": validate,
        "print": lambda text: to_text(built[text]),
        "fix": fix,
    }
    for name, work in works.items():
        print(f"{name:28} {rate(work, texts):10,.0f} lines/s")


if __name__ == "__main__":
    main()
