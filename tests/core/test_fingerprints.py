"""Hashes of files and code, and their memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nightforge.core.fingerprints import Fingerprints


def package(root: Path) -> Path:
    home = root / "nightforge"
    (home / "ml").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "ml/__init__.py": "",
        "ml/a.py": "def f():\n    from nightforge.ml.b import g\n    return g\n",
        "ml/b.py": '"""Words."""\n\ndef g():\n    """More words."""\n    return 1\n',
        "ml/unused.py": "x = 1\n",
        "ml/table.json": "{}",
    }.items():
        (home / name).write_text(text)
    (root / "stage.py").write_text("import sys\nfrom nightforge.ml import a\n")
    return home


def code(root: Path) -> dict[str, str]:
    return Fingerprints(root / "cache.json", root / "nightforge").code(root / "stage.py")


def test_code_reaches_lazy_imports_and_data_beside_them(tmp_path: Path) -> None:
    package(tmp_path)
    assert set(code(tmp_path)) == {
        "stage.py",
        "nightforge/__init__.py",
        "nightforge/ml/__init__.py",
        "nightforge/ml/a.py",
        "nightforge/ml/b.py",
        "nightforge/ml/table.json",
    }


def test_code_counts_words_do_not(tmp_path: Path) -> None:
    home = package(tmp_path)
    before = code(tmp_path)
    # A body that had only a docstring besides keeps its shape: the words are gone, a `pass` stands there.
    (home / "ml/b.py").write_text('"""Other."""\n\n\ndef g():\n    """Other."""\n    return 1  # one\n')
    assert code(tmp_path) == before
    (home / "ml/b.py").write_text('"""Other."""\n\ndef g():\n    """Other."""\n    return 2\n')
    changed = code(tmp_path)
    assert {name for name in before if before[name] != changed[name]} == {"nightforge/ml/b.py"}


def test_a_file_python_cannot_read_counts_as_it_is(tmp_path: Path) -> None:
    home = package(tmp_path)
    (home / "ml/b.py").write_text("def (:\n")
    assert "nightforge/ml/b.py" in code(tmp_path)


def test_small_files_are_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1")
    prints = Fingerprints(tmp_path / "cache.json", tmp_path)
    before, facts = prints.file(file), file.stat()
    file.write_bytes(b"2")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert prints.file(file) != before
    assert prints.file(tmp_path / "missing") is None


def test_large_files_are_trusted_until_they_move(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1" * (2**20 + 1))
    first = Fingerprints(tmp_path / "cache.json", tmp_path)
    before = first.file(file)
    first.save()
    assert Fingerprints(tmp_path / "cache.json", tmp_path).file(file) == before
    file.write_bytes(b"2" * (2**20 + 1))
    assert Fingerprints(tmp_path / "cache.json", tmp_path).file(file) != before


def test_a_lost_memory_costs_nothing_but_time(tmp_path: Path) -> None:
    package(tmp_path)
    before = code(tmp_path)
    (tmp_path / "cache.json").write_text("{")
    assert code(tmp_path) == before


def test_one_trusted_file_that_was_not_read_for_a_day_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path)
    large = [tmp_path / name for name in ("a.bin", "b.bin")]
    first = Fingerprints(tmp_path / "cache.json", tmp_path / "nightforge")
    for path in large:
        path.write_bytes(b"x" * (2**20 + 1))
    before = [first.file(path) for path in large]
    first.save()
    for path in large:  # bits that rot leave size and times alone
        facts = path.stat()
        path.write_bytes(b"y" * (2**20 + 1))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    now = Fingerprints(tmp_path / "cache.json", tmp_path / "nightforge")
    assert [now.file(path) for path in large] == before
    late = time.time() + 90_000
    monkeypatch.setattr("time.time", lambda: late)
    now = Fingerprints(tmp_path / "cache.json", tmp_path / "nightforge")
    after = [now.file(path) for path in large]
    assert after[0] != before[0] and after[1] == before[1]
