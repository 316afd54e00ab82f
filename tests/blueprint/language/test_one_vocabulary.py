"""Node types are named in catalog.json and nowhere else: no second list can grow and disagree with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nightforge.blueprint.catalog import SELF, load_catalog

ROOT = Path(__file__).resolve().parents[3]
EVERY = frozenset({"*"})
QUOTED = re.compile(r"[\"'`](\w+)[\"'`]")
# Who may write a name of the catalog, which, and why. Everything else has to ask the catalog.
ALLOWED: dict[str, tuple[frozenset[str], str]] = {
    "nightforge/blueprint/catalog.py": (
        frozenset({"CastToCharacter"}),
        "the model from which casts to other classes are derived",
    ),
    "nightforge/blueprint/node_types.py": (
        frozenset({"FunctionEntry", "FunctionResult", "Branch"}),
        "both ends of a FUNCTION: are words of the language; Branch is the model of an opaque node",
    ),
    "nightforge/blueprint/faces.py": (
        frozenset(
            "Add Subtract Multiply Divide GreaterEqual LessEqual EqualEqual NotEqual "
            "BooleanAND BooleanOR AND OR".split()
        ),
        "operation names of Unreal and the signs they are drawn with; some are aliases here as well",
    ),
    "nightforge/blueprint/clipboard/": (
        frozenset({"FunctionEntry", "FunctionResult", "CallFunction", "CallMacro", "CallEvent"}),
        "the nodes that stand for definitions of the user, which no entry can describe by itself",
    ),
    "nightforge/blueprint/synthesis/": (
        EVERY,
        "says in English what each node does; a name that is not in the catalog cannot be generated",
    ),
}


@cache
def names() -> frozenset[str]:
    """Return every name and alias of a node type; `Self` is a pin type too and does not count."""
    catalog = load_catalog()
    return frozenset((*catalog.nodes, *catalog.aliases)) - {SELF}


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield every text literal of a Python module with its line."""
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.lineno, part.value


def strangers(path: str, source: str) -> list[str]:
    """Return where a module names node types that it may not name."""
    allowed = frozenset[str]().union(
        *(found for begin, (found, _) in ALLOWED.items() if path.startswith(begin))
    )
    if allowed == EVERY:
        return []
    known = names() - allowed
    if not known.intersection(QUOTED.findall(source)):
        return []  # no need to parse what has no such text at all
    return [f"{path}:{line}: {text}" for line, text in literals(source) if text in known]


def test_no_module_names_node_types_of_its_own() -> None:
    found = [
        place
        for folder in ("nightforge", "scripts")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file.relative_to(ROOT).parts[1] != "anomaly"  # the other track: "Min" is a column there
        for place in strangers(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]
    assert found == [], "ask the catalog (a role, a pin, by_unreal) instead, or give a reason in ALLOWED"


def test_no_page_names_node_types_of_its_own() -> None:
    pages = sorted((ROOT / "dashboard").glob("*.js")) + sorted((ROOT / "dashboard").glob("*.html"))
    assert pages
    for page in pages:
        if page.name.startswith("anomaly"):  # the other track: "Add" is a button there
            continue
        assert not set(QUOTED.findall(page.read_text(encoding="utf-8"))) & names(), page.name


def test_a_list_of_its_own_is_found() -> None:
    module = 'COMMON = {"PrintString": 1}\nEVENTS = ["Event_Tick"]\nword = "lamp"\n'
    assert strangers("nightforge/blueprint/report.py", module) == [
        "nightforge/blueprint/report.py:1: PrintString",
        "nightforge/blueprint/report.py:2: Event_Tick",
    ]
    assert strangers("nightforge/blueprint/catalog.py", 'MODEL = "CastToCharacter"') == []
    assert strangers("nightforge/blueprint/catalog.py", 'MODEL = "CastToPawn"') != []


def test_every_allowed_place_exists_and_says_why() -> None:
    for begin, (_, reason) in ALLOWED.items():
        assert (ROOT / begin).exists() or begin.endswith("clipboard/"), begin
        assert len(reason.split()) > 5
