"""Hashes of files and code that do not move with dates, places, comments or layout. # ops C1, C4

Reading is the rule: a file of up to 1 MiB is read each time. A larger one is trusted while its size, time and
inode stay the same; one of those not read for a day is read all the same in each process (rule C2). The code
of a module is hashed as its syntax tree without docstrings, together with all modules of the package that it
imports, wherever in the file it does so.
"""

from __future__ import annotations

import ast
import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nightforge.core.atomic import sha256_file, write_json
from nightforge.core.generations import FOLDER
from nightforge.core.records import read_object

PACKAGE = "nightforge"
_SMALL_BYTES = 2**20
_SAMPLE_S = 86_400.0


class Fingerprints:
    """Hashes with a memory in `cache`, which may be lost at any time."""

    def __init__(self, cache: Path, package: Path) -> None:
        self._cache_path = cache
        self._package = package
        stored = read_object(cache) or {}
        # path -> [size, mtime, inode, hash, seconds since 1970 when it was read]
        self._files: dict[str, list[Any]] = stored.get("files", {})
        self._sampled = False
        self._modules: dict[str, list[Any]] = stored.get("modules", {})  # content hash -> [code, imports]
        self._changed = False
        self._code: dict[Path, dict[str, str]] = {}

    def file(self, path: Path) -> str | None:
        """Hash a file's content; None if there is no such file."""
        try:
            facts = path.stat()
            if facts.st_size <= _SMALL_BYTES:
                return hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None
        known = self._files.get(str(path))
        now = [facts.st_size, facts.st_mtime_ns, facts.st_ino]
        if known is None or known[:3] != now or self._is_sample(known):
            known = [*now, sha256_file(path), int(time.time())]
            self._files[str(path)] = known
            self._changed = True
        return str(known[3])

    def _is_sample(self, known: list[Any]) -> bool:
        """Choose the first file that was not read for a day: bits rot without changing size or time."""
        if self._sampled or (len(known) > 4 and time.time() - known[4] < _SAMPLE_S):
            return False
        self._sampled = True
        return True

    def tree(self, root: Path, names: Iterable[str]) -> dict[str, str | None]:
        """Hash each named file, and every file below each name that ends with `/`, earlier generations left
        out; a missing file is None.
        """
        found: dict[str, str | None] = {}
        for name in names:
            if not name.endswith("/"):
                found[name] = self.file(root / name)
                continue
            for path in sorted(path for path in (root / name).rglob("*") if path.is_file()):
                if path.parent.name != FOLDER:
                    found[path.relative_to(root).as_posix()] = self.file(path)
        return found

    def code(self, script: Path) -> dict[str, str]:
        """Hash a script and the modules of the package it can reach: name -> hash. Data files beside them
        count as well.
        """
        if script not in self._code:
            self._code[script] = dict(self._reach(script))
        return self._code[script]

    def save(self) -> None:
        """Keep what was worked out for the next process."""
        if self._changed:
            self._changed = False
            stored = {"schema_version": 1, "files": self._files, "modules": self._modules}
            write_json(self._cache_path, stored, indent=None, durable=False)

    def _reach(self, script: Path) -> Iterator[tuple[str, str]]:
        waiting: list[tuple[str, Path]] = [(script.name, script)]
        seen: set[Path] = set()
        while waiting:
            name, path = waiting.pop()
            if path in seen or not path.is_file():
                continue
            seen.add(path)
            code, imported = self._module(path.read_bytes())
            yield name, code
            for module in imported:
                waiting += self._places(module)
            for beside in sorted(path.parent.glob("*.json")) if path != script else ():
                if beside not in seen:
                    seen.add(beside)
                    yield self._name(beside), str(self.file(beside))

    def _name(self, path: Path) -> str:
        return f"{PACKAGE}/{path.relative_to(self._package).as_posix()}"

    def _places(self, module: str) -> list[tuple[str, Path]]:
        """Return the files a dotted name may stand for; the last part may be a name inside a module."""
        parts = module.split(".")[1:]
        folders = [self._package.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
        files = [folder / "__init__.py" for folder in folders]
        if parts:
            files.append(folders[-1].with_suffix(".py"))
        return [(self._name(file), file) for file in files]

    def _module(self, source: bytes) -> tuple[str, list[str]]:
        key = hashlib.sha256(source).hexdigest()
        if key not in self._modules:
            self._modules[key] = list(_code_of(source, key))
            self._changed = True
        code, imported = self._modules[key]
        return str(code), list(imported)


def _code_of(source: bytes, content: str) -> tuple[str, list[str]]:
    """Hash a module's code and list its imports of the package; what Python cannot read counts as it is."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return content, []
    imported: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported |= dict.fromkeys((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        _drop_docstring(node)
    code = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return code, [name for name in imported if name.split(".")[0] == PACKAGE]


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
