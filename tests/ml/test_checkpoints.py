"""A checkpoint counts only with a valid manifest; the torn, damaged or foreign are named and passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightforge.ml import checkpoints

FACTS = {"data_hash": "d1", "config_hash": "c1"}


def make(folder: Path, step: int, facts: dict[str, str] = FACTS) -> Path:
    partial = folder / "saving.partial" / f"checkpoint-{step}"
    partial.mkdir(parents=True)
    (partial / "weights.bin").write_bytes(bytes(range(200)) * 5)
    target = folder / f"checkpoint-{step}"
    checkpoints.seal(partial, target, {**facts, "step": step})
    return target


def test_the_highest_step_wins_as_a_number(tmp_path: Path) -> None:
    for step in (20, 100, 99):
        make(tmp_path, step)
    assert checkpoints.newest_complete(tmp_path, FACTS) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize("damage", ["cut", "flip", "missing file", "no manifest", "torn manifest"])
def test_a_damaged_checkpoint_is_skipped_by_name(tmp_path: Path, damage: str) -> None:
    make(tmp_path, 10)
    bad = make(tmp_path, 20)
    weights, manifest = bad / "weights.bin", bad / "manifest.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "flip":
        data = bytearray(weights.read_bytes())
        data[77] ^= 1
        weights.write_bytes(bytes(data))
    elif damage == "missing file":
        weights.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text()[:40])
    said: list[str] = []
    assert checkpoints.newest_complete(tmp_path, FACTS, said.append) == tmp_path / "checkpoint-10"
    assert len(said) == 1
    assert "checkpoint-20" in said[0]


def test_a_checkpoint_of_another_training_is_not_resumed(tmp_path: Path) -> None:
    make(tmp_path, 10, {"data_hash": "other", "config_hash": "c1"})
    said: list[str] = []
    assert checkpoints.newest_complete(tmp_path, FACTS, said.append) is None
    assert "data_hash" in said[0]


def test_a_cut_off_save_leaves_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "saving.partial" / "checkpoint-5").mkdir(parents=True)
    assert checkpoints.newest_complete(tmp_path, FACTS) is None


def test_only_the_newest_are_kept_and_leftovers_go(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        make(tmp_path, step)
    (tmp_path / "saving.partial").mkdir(exist_ok=True)
    checkpoints.keep_newest(tmp_path, 2)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-15"]
