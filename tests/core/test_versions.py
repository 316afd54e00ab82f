"""Adapter versions compare as numbers and count only when their manifest is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightforge.core import versions
from nightforge.core.errors import InputError


def make(models: Path, number: int, complete: bool = True) -> Path:
    folder = versions.adapter_dir(models, number)
    folder.mkdir(parents=True)
    (folder / "adapter.bin").write_bytes(b"weights %d" % number)
    if complete:
        versions.write_manifest(folder, {"version": number})
    return folder


def test_ten_comes_after_nine_and_a_torn_folder_is_no_version(tmp_path: Path) -> None:
    for number in (9, 10, 2):
        make(tmp_path, number)
    make(tmp_path, 11, complete=False)
    (tmp_path / "blueprint-lora-v12.partial").mkdir()
    assert versions.list_versions(tmp_path) == [2, 9, 10]
    assert versions.latest(tmp_path) == 10
    assert versions.next_version(tmp_path) == 13  # 11 and 12 are taken, though not complete


def test_an_empty_project_starts_with_one(tmp_path: Path) -> None:
    assert versions.latest(tmp_path / "models") is None
    assert versions.next_version(tmp_path / "models") == 1


def test_a_manifest_finds_missing_and_damaged_files(tmp_path: Path) -> None:
    folder = make(tmp_path, 1)
    assert versions.read_manifest(folder, check_hashes=True)["version"] == 1
    (folder / "adapter.bin").write_bytes(b"weights 2")
    with pytest.raises(InputError, match="damaged"):
        versions.read_manifest(folder, check_hashes=True)
    (folder / "adapter.bin").unlink()
    with pytest.raises(InputError, match="missing"):
        versions.read_manifest(folder)
