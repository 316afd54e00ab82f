"""Figures of the clipboard reader: what is kept of a folder of texts, speed, a large export, and a fuzz run.

By hand  python benchmarks/clipboard.py --folder DIR [--fuzz 100000]
Reads a folder of clipboard texts (without --folder: the invented ones of the tests); prints a table, fails if
anything is lost. Times are CPU seconds of this one process.
"""

import argparse
import gc
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "blueprint" / "clipboard"))

from clipboard_mutants import mutant
from clipboard_samples import all_samples, large_sample

from nightforge.blueprint.clipboard.ledger import Ledger
from nightforge.blueprint.clipboard.reading import read_file, read_objects
from nightforge.blueprint.clipboard.translate import translate
from nightforge.core.errors import NightforgeError

LARGE_MB = 10
SLOW_CASE_S = 2.0  # a single mutant that takes longer counts as a hang


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="folder of clipboard texts")
    parser.add_argument("--fuzz", type=int, default=0, metavar="N", help="number of mutated texts")
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    texts = _texts(args.folder)
    bad = _kept(texts) + _speed(texts) + _large()
    if args.fuzz:
        short = [text for text in {**all_samples(), **texts}.values() if len(text) < 40_000]
        bad += _fuzz(short, args.fuzz, args.seed)
    return 1 if bad else 0


def _texts(folder: Path | None) -> dict[str, str]:
    if folder is None:
        return all_samples()
    return {path.name: read_file(path) for path in sorted(folder.glob("*.txt"))}


def _kept(texts: dict[str, str]) -> int:
    total, failed = Ledger(), 0
    for name, text in texts.items():
        try:
            total.add(translate(text, name).ledger)
        except NightforgeError as error:
            failed += 1
            print(f"  {name}: {error}")
    print(f"texts translated   {len(texts) - failed} of {len(texts)}")
    for what in ("nodes", "wires", "defaults", "names", "comments"):
        given, kept = getattr(total, f"{what}_in"), getattr(total, f"{what}_kept")
        print(f"{what:<18} {kept} of {given} kept ({100 * kept / max(given, 1):.1f} %)")
    known, opaque = sum(total.known.values()), sum(total.opaque.values())
    print(f"of these nodes     {known} by the catalog, {opaque} opaque, and {total.knots} knots collapsed")
    print(f"links stated       {total.wires_stated}, and {total.links_outside} to nodes outside of the text")
    return failed


def _speed(texts: dict[str, str]) -> int:
    size = sum(len(text.encode()) for text in texts.values())
    for what, work in (("parse", read_objects), ("translate", translate)):
        count, started = 0, time.process_time()
        while time.process_time() - started < 2.0:
            for text in texts.values():
                try:
                    work(text)
                except NightforgeError:
                    pass
            count += 1
        print(f"{what:<18} {size * count / (time.process_time() - started) / 1e6:.1f} MB/s")
    return 0


def _large() -> int:
    text = large_sample(LARGE_MB * 2**20)
    started = time.process_time()
    ledger = translate(text).ledger
    seconds = time.process_time() - started
    counts = f"{ledger.nodes_kept} nodes, {ledger.wires_kept} wires"
    print(f"{len(text) / 2**20:.1f} MB export    {seconds:.1f} s ({counts})")
    return seconds >= 10


def _fuzz(texts: list[str], count: int, seed: int) -> int:
    rng = random.Random(seed)
    kinds: dict[str, int] = {}
    crashed = slow = 0
    started, memory = time.process_time(), 0
    for index in range(count):
        text = mutant(rng.choice(texts), rng)
        before = time.process_time()
        try:
            translate(text)
            kind = "translated"
        except NightforgeError as error:
            kind = getattr(error, "code", type(error).__name__)
        except Exception as error:  # noqa: BLE001  the point of a fuzz run: whatever it is, count and show it
            crashed, kind = crashed + 1, f"CRASH {type(error).__name__}"
            print(f"  case {index}: {type(error).__name__}: {error}\n{text[:2000]}")
        slow += time.process_time() - before > SLOW_CASE_S
        kinds[kind] = kinds.get(kind, 0) + 1
        if (index + 1) % 10_000 == 0:
            print(f"  {index + 1} mutants, {crashed} crashes", file=sys.stderr, flush=True)
        if index == min(2000, count // 4):
            gc.collect()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    print(f"fuzz               {count} mutants in {time.process_time() - started:.0f} s: " + ", ".join(
        f"{name} {number}" for name, number in sorted(kinds.items())
    ))  # fmt: skip
    print(f"                   {crashed} crashes, {slow} over {SLOW_CASE_S} s, memory grew {grown:.0f} MB")
    return crashed + slow + (grown > 100)


if __name__ == "__main__":
    sys.exit(main())
