"""Imports point one way, nothing happens at import, and the size budget holds: read from the source."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nightforge"
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
}
TRACKS = ("nightforge.blueprint", "nightforge.anomaly")
# layer -> nightforge layers it may import (itself included)
ALLOWED = {
    "core": {"core"},
    "config": {"config", "core"},
    "stage": {"stage", "config", "core"},
    "pipeline": {"pipeline", "config", "core", "web"},
    "backup": {"backup", "config", "core"},
    "web": {"web", "config", "core"},
    "ml": {"ml", "config", "core"},
    "blueprint": {"blueprint", "ml", "config", "core"},
    "anomaly": {"anomaly", "ml", "config", "core"},
}
TORCH_FREE = ("core", "config", "pipeline", "backup", "web")


def tracked(*suffixes: str) -> list[Path]:
    return [path for path in _all_files() if path.name.endswith(suffixes)]


@cache
def _all_files() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\n") if (ROOT / name).is_file()]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(node: ast.AST, at_import: bool = True) -> Iterator[tuple[str, bool]]:
    """Yield every imported module and whether the import runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module, at_import
        elif isinstance(child, ast.stmt | ast.ExceptHandler):
            deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imports(child, at_import and not deferred)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_layers_below_its_own(path: Path) -> None:
    layer = layer_of(path)
    if layer == "__init__":
        return
    for name, _ in imports(tree_of(path)):
        if name.startswith("nightforge."):
            assert name.split(".")[1] in ALLOWED[layer], f"{layer} must not import {name}"
        if layer in TORCH_FREE:
            assert name.split(".")[0] not in HEAVY, f"{layer} must not import {name}"


def test_nobody_imports_a_numbered_script() -> None:
    for path in tracked(".py"):
        for name, _ in imports(tree_of(path)):
            assert name.split(".")[0] != "scripts", f"{path.relative_to(ROOT)} imports {name}"


def test_scripts_load_torch_only_inside_run() -> None:
    for path in sorted((ROOT / "scripts").glob("*.py")):
        for name, at_import in imports(tree_of(path)):
            first = name.split(".")[0]
            assert not (at_import and (first in HEAVY or name.startswith((*TRACKS, "nightforge.ml")))), (
                f"{path.name} imports {name} at the top, so --help is slow"
            )


def _harmless(node: ast.stmt) -> bool:
    if isinstance(
        node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
    ):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
        return True
    if isinstance(node, ast.If):  # platform and type-checking branches hold imports or definitions only
        return all(_harmless(inner) for inner in [*node.body, *node.orelse])
    return isinstance(node, ast.Pass)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_happens_at_import(path: Path) -> None:
    for node in tree_of(path).body:
        assert _harmless(node), f"line {node.lineno} acts at import: {ast.unparse(node)[:80]}"


@pytest.mark.parametrize("path", tracked(".py", ".js"), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_under_500_lines_and_functions_under_80(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    if path.suffix == ".py":
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 80, f"{node.name} at line {node.lineno}"


@pytest.mark.parametrize("path", tracked(".py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_exception_is_swallowed(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
            silent = all(isinstance(inner, ast.Pass | ast.Continue) for inner in node.body)
            assert not (broad and silent), f"line {node.lineno} swallows every error"


def test_every_stage_script_says_what_it_reads_writes_and_needs() -> None:
    scripts = sorted((ROOT / "scripts").glob("[0-9][0-9]_*.py"))
    assert scripts
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        doc = ast.get_docstring(tree_of(path)) or ""
        for word in ("Reads", "Writes", "Needs", "By hand"):
            assert word in doc, f"{path.name} does not say {word}"
        assert text.count("\n") < 120, f"{path.name} is longer than a stage script may be"
