"""What an independent reader sees in our clipboard text: the nodes and links that ueblueprint draws.

ueblueprint (npm, MIT) is a reader of this text written by others. It runs in headless Chromium, offline: this
script hands page and package to the browser. The npm client fetches the package once into a cache folder; it
is never part of the repository.

By hand  python benchmarks/ueblueprint.py                      the lessons and 200 generated programs
         python benchmarks/ueblueprint.py --texts FOLDER       also texts of the editor, re-written
"""

from __future__ import annotations

import argparse
import html
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nightforge.blueprint.clipboard.translate import translate  # noqa: E402
from nightforge.blueprint.clipboard.writer import WrittenText, write_graphs  # noqa: E402
from nightforge.blueprint.graph import Blueprint  # noqa: E402
from nightforge.blueprint.parser import parse  # noqa: E402
from nightforge.blueprint.synthesis.grown import Request, grow  # noqa: E402

PACKAGE, VERSION = "ueblueprint", "3.0.0"
ADDRESS = "http://ueblueprint.test"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
GENERATED = 200
_PAGE = """<!doctype html><html><head><link rel="stylesheet" href="/dist/css/ueb-style.min.css"></head><body>
<ueb-blueprint><template>{text}</template></ueb-blueprint>
<script type="module">import "/dist/ueblueprint.min.js"</script></body></html>"""
_COUNT = "() => [document.querySelectorAll('ueb-node').length, document.querySelectorAll('ueb-link').length]"
_STABLE_S, _LIMIT_S = (
    0.25,
    30.0,
)  # counts that stay this long are final; how long to wait for the expected ones


@dataclass(frozen=True, slots=True)
class Case:
    """A text with the nodes (comment boxes included) and links it must show."""

    name: str
    text: str
    nodes: int
    links: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader shows for a case, and how many errors it logged."""

    case: Case
    nodes: int
    links: int
    errors: int

    @property
    def agrees(self) -> bool:
        """Say whether the reader shows what we wrote."""
        return (self.nodes, self.links) == (self.case.nodes, self.case.links)


def package_folder(cache: Path) -> Path:
    """Return the folder of the unpacked package, fetching it through npm where it is missing."""
    folder = cache / f"{PACKAGE}-{VERSION}"
    if not (folder / "package" / "dist" / "ueblueprint.min.js").is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise FileNotFoundError("npm is not installed; install Node.js to fetch ueblueprint")
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        with tarfile.open(folder / f"{PACKAGE}-{VERSION}.tgz") as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def cache_folder() -> Path:
    """Return the user's cache folder, outside of the repository."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightforge"


def case_of(name: str, bp: Blueprint) -> Case:
    """Write a program; its comment boxes count as nodes, as the reader draws them."""
    written: WrittenText = write_graphs(bp, bp.graphs)
    return Case(name, written.text, written.nodes + written.comments, written.links)


def lesson_cases() -> Iterator[Case]:
    """Yield every program of the lessons and exams."""
    for path in sorted((ROOT / "lessons").glob("*.json")):
        for prompt in json.loads(path.read_text(encoding="utf-8"))["prompts"]:
            program = parse(prompt["expected_dsl"]).blueprint
            if program is None:
                raise ValueError(f"{path.name}: {prompt['id']} does not parse")
            yield case_of(f"{path.stem} {prompt['id']}", program)


def text_cases(folder: Path) -> Iterator[Case]:
    """Yield every program of the editor's texts in a folder, written again by us."""
    for path in sorted(folder.glob("*.txt")):
        for document in translate(path.read_text(encoding="utf-8"), path.stem).documents:
            yield case_of(path.name, document.blueprint)


class Reader:
    """The package in a tab of a running browser."""

    def __init__(self, browser: Any, package: Path) -> None:
        """Open the tab; nothing is asked for outside of the package."""
        self.package, self.text, self.errors = package, "", 0
        self.page = browser.new_page()
        self.page.route("**/*", self._answer)
        self.page.on("pageerror", lambda error: self._error())
        self.page.on("console", lambda message: self._error() if message.type == "error" else None)

    def see(self, case: Case) -> Seen:
        """Show a text and count what is there when the counts no longer change."""
        self.text, self.errors = case.text, 0
        self.page.goto(ADDRESS + "/", wait_until="load")
        began = changed = time.monotonic()
        counts: list[int] = []
        while time.monotonic() - began < _LIMIT_S and time.monotonic() - changed < _STABLE_S:
            now = self.page.evaluate(_COUNT)
            if now != counts:
                counts, changed = now, time.monotonic()
            elif now == [case.nodes, case.links]:
                break
            self.page.wait_for_timeout(30)
        return Seen(case, counts[0], counts[1], self.errors)

    def _error(self) -> None:
        self.errors += 1

    def _answer(self, route: Any) -> None:
        address = route.request.url
        if address == ADDRESS + "/":
            page = _PAGE.format(text=html.escape(self.text))
            route.fulfill(body=page, content_type="text/html; charset=utf-8")
            return
        path = self.package / address.removeprefix(ADDRESS + "/")
        if address.startswith(ADDRESS) and path.is_file():
            route.fulfill(path=path)
        else:
            route.fulfill(status=404, body="")


def measure(browser: Any, package: Path, cases: Iterable[Case]) -> list[Seen]:
    """Show every case to the reader, one after the other."""
    reader = Reader(browser, package)
    return [reader.see(case) for case in cases]


def report(title: str, seen: list[Seen]) -> str:
    """Return the figures of some cases in one line, and a line for each that differs."""
    agreed = sum(entry.agrees for entry in seen)
    nodes, links = sum(entry.nodes for entry in seen), sum(entry.links for entry in seen)
    errors = sum(entry.errors for entry in seen)
    shown = f"{nodes} nodes and {links} links shown, {errors} errors logged"
    line = f"{title}: {agreed} of {len(seen)} texts agree; {shown}"
    wrong = [
        f"  {entry.case.name}: {entry.nodes} nodes and {entry.links} links shown, "
        f"{entry.case.nodes} and {entry.case.links} written"
        for entry in seen
        if not entry.agrees
    ]
    return "\n".join([line, *wrong])


def main() -> int:
    """Measure and print; exit code 1 where any text differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, metavar="DIR", help="a folder of texts copied from the editor")
    parser.add_argument("--generated", type=int, default=GENERATED, metavar="N", help="programs to generate")
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    groups: dict[str, Iterable[Case]] = {"lessons and exams": lesson_cases()}
    if args.generated:
        pairs = islice(grow(Random(17), Request()), args.generated)
        groups["generated"] = (case_of(f"generated {n}", pair.blueprint) for n, pair in enumerate(pairs))
    if args.texts:
        groups[f"texts of {args.texts.name}, re-written"] = text_cases(args.texts)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    package = package_folder(cache_folder())
    agreed = True
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        for title, cases in groups.items():
            seen = measure(browser, package, cases)
            print(report(title, seen), flush=True)
            agreed = agreed and all(entry.agrees for entry in seen)
        browser.close()
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
