"""A restore brings back every byte, changes nothing before it is sure, and can be interrupted anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from backup_fakes import FailingDisk, Reports, add_adapter, backup, make_project, tree, write

from nightforge.backup.disk import Disk
from nightforge.backup.lock import exclusive
from nightforge.backup.manifest import load
from nightforge.backup.restore import compare, restore
from nightforge.backup.store import Store
from nightforge.backup.swap import recover
from nightforge.config.schema import Backup
from nightforge.core.errors import InputError, NothingNewError, StageError, TemporaryError
from nightforge.core.paths import Project


@pytest.fixture
def saved(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def damage(project: Project) -> None:
    """What a bad night leaves behind: rows cut, a lesson lost, a result too many, weights overwritten."""
    write(project.root, {"data/blueprint/train.jsonl": "cut", "results/exams/v9/summary.json": "{}"})
    (project.lessons / "lesson_01.json").unlink(missing_ok=True)
    add_adapter(project.root, 1, "rotten weights")


def test_a_restore_equals_the_backup_bit_for_bit(saved: Project) -> None:
    before = tree(saved.root)
    label = backup(saved)["label"]
    damage(saved)
    result = restore(saved, Backup(), label, Reports())
    assert tree(saved.root) == before
    assert result["units"] == ["data/blueprint", "lessons", "models/blueprint-lora-v1", "results"]


def test_what_was_there_before_is_in_the_safety_backup(saved: Project) -> None:
    label = backup(saved)["label"]
    damage(saved)
    damaged = tree(saved.root)
    safety = restore(saved, Backup(), label, Reports())["safety_backup"]
    assert safety.split("-", 2)[2] == "pre_restore"
    restore(saved, Backup(), safety, Reports())
    assert tree(saved.root) == damaged


def test_an_old_adapter_that_is_neither_newest_nor_champion_is_saved_before_it_is_replaced(
    saved: Project,
) -> None:
    label = backup(saved)["label"]
    add_adapter(saved.root, 2)
    add_adapter(saved.root, 1, "retrained by hand")
    safety = restore(saved, Backup(), label, Reports())["safety_backup"]
    path = "models/blueprint-lora-v1/adapter_model.safetensors"
    assert Store(saved.backups).file(safety, path).read_text() == "retrained by hand of 1"
    assert (saved.root / path).read_text() == "weights of 1"


def test_checkpoints_and_newer_adapters_survive_a_restore(saved: Project) -> None:
    label = backup(saved)["label"]
    damage(saved)
    add_adapter(saved.root, 2)
    restore(saved, Backup(), label, Reports())
    assert (saved.models / "blueprint-lora-v1/checkpoint-40/optimizer.pt").exists()
    assert (saved.models / "blueprint-lora-v2/adapter_model.safetensors").exists()


def test_restoring_what_is_already_there_says_nothing_new(saved: Project) -> None:
    label = backup(saved)["label"]
    with pytest.raises(NothingNewError, match="already equals"):
        restore(saved, Backup(), label, Reports())


def test_a_restore_raises_no_shrink_alarm_afterwards(saved: Project) -> None:
    label = backup(saved)["label"]
    write(saved.root, {f"results/exams/v{i}/summary.json": "{}" for i in range(2, 9)})
    backup(saved)
    restore(saved, Backup(), label, Reports())
    assert backup(saved)["status"] == "ok"


def test_neither_the_restored_label_nor_the_safety_backup_is_pruned_by_the_restore_itself(
    saved: Project,
) -> None:
    tight = Backup(keep_last=1, keep_daily=0, keep_weekly=0)
    label = backup(saved, config=tight)["label"]
    damage(saved)
    safety = restore(saved, tight, label, Reports())["safety_backup"]
    assert {label, safety} < Store(saved.backups).labels()


def test_a_damaged_backup_is_refused_and_nothing_is_touched(saved: Project) -> None:
    label = backup(saved)["label"]
    damage(saved)
    before = tree(saved.root)
    stored = Store(saved.backups).file(label, "lessons/lesson_02.json")
    stored.write_bytes(b"[]")
    with pytest.raises(StageError, match=r"damaged.*lessons/lesson_02.json"):
        restore(saved, Backup(), label, Reports())
    assert tree(saved.root) == before and Store(saved.backups).labels() == {label}


def test_an_unknown_label_exits_2_with_the_list_command(saved: Project) -> None:
    with pytest.raises(InputError) as caught:
        restore(saved, Backup(), "20261121-171500-manual", Reports())
    assert caught.value.exit_code == 2 and "18_restore_backup.py --list" in str(caught.value)


@pytest.mark.parametrize("label", ["..", "../lessons", "/etc", "", "20261121-171500-manual/../../lessons"])
def test_a_label_that_is_a_path_is_refused(saved: Project, label: str) -> None:
    with pytest.raises(InputError):
        Store(saved.backups).load(label)


def test_a_restore_waits_for_a_run_to_end(saved: Project) -> None:
    label = backup(saved)["label"]
    with exclusive(saved.lock, "busy"), pytest.raises(TemporaryError, match="a run is active"):
        restore(saved, Backup(), label, Reports())


def test_the_difference_names_changed_missing_and_extra_files(saved: Project) -> None:
    label = backup(saved)["label"]
    damage(saved)
    difference = compare(saved, load(saved.backups / label))
    assert difference.changed == (
        "data/blueprint/train.jsonl",
        "models/blueprint-lora-v1/adapter_model.safetensors",
    )
    assert difference.missing == ("lessons/lesson_01.json",)
    assert difference.extra == ("results/exams/v9/summary.json",)


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_a_restore_interrupted_at_any_write_can_be_finished(saved: Project, step: int) -> None:
    good = tree(saved.root)
    label = backup(saved)["label"]
    finished = False
    for at in range(1, 400, step):
        damage(saved)
        bad = tree(saved.root)
        try:
            restore(saved, Backup(), label, Reports(), disk=FailingDisk(at))
            finished = True
        except OSError:
            finished = False
        if not finished:  # outside of `except`: what the error holds open cannot be removed on Windows
            with Store(saved.backups).locked():
                done = recover(saved, Disk())
            now = tree(saved.root)
            assert now in (good, bad), (at, done)  # all of the old or all of the new, never a mixture
            if now == bad:
                restore(saved, Backup(), label, Reports())
        assert tree(saved.root) == good, at
        left = [p for p in saved.root.rglob(".*") if p.name.startswith((".restoring", ".replaced"))]
        assert not left, at
        if finished:
            break
    assert finished and at > (15 if os.name == "nt" else 30)  # Windows has no folders to flush


def test_the_next_backup_finishes_an_interrupted_swap_first(saved: Project) -> None:
    good = tree(saved.root)
    label = backup(saved)["label"]
    damage(saved)

    class DiesInTheSwap(Disk):
        def rename(self, source: Path, target: Path) -> None:
            if source.name.startswith(".restoring") and target.name == "lessons":
                raise OSError(5, "power cut")
            super().rename(source, target)

    with pytest.raises(OSError, match="power cut"):
        restore(saved, Backup(), label, Reports(), disk=DiesInTheSwap())
    assert not saved.lessons.exists()
    after = backup(saved, reason="after the power cut")["label"]
    assert tree(saved.root) == good
    assert load(saved.backups / after).content == load(saved.backups / label).content
