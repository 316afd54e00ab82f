"""The mirror is written only when it proves to be the right folder, and its absence never fails a backup."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backup_fakes import FailingDisk, Reports, add_adapter, backup, make_project, tree, write

from nightforge.backup import history
from nightforge.backup.mirror import MARKER, init_mirror
from nightforge.backup.restore import restore
from nightforge.backup.snapshot import Request, create_backup
from nightforge.backup.store import Store
from nightforge.backup.verify import verify_all
from nightforge.config.schema import Backup
from nightforge.core.errors import InputError
from nightforge.core.paths import Project


@pytest.fixture
def saved(tmp_path: Path) -> Project:
    (tmp_path / "drive").mkdir()
    return make_project(tmp_path / "project")


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    return tmp_path / "drive"


def config(drive: Path, **fields: int) -> Backup:
    return Backup(mirror=str(drive), **fields)


def test_every_snapshot_reaches_the_mirror_and_verifies_there(saved: Project, drive: Path) -> None:
    first = backup(saved)["label"]  # made before there was a mirror
    init_mirror(saved, str(drive))
    entry = backup(saved, config=config(drive))
    assert entry["mirror"]["status"] == "ok" and entry["mirror"]["copied"] == [first, entry["label"]]
    checks = verify_all(Store(drive))
    assert [check.label for check in checks] == [first, entry["label"]] and all(check.ok for check in checks)


@pytest.mark.parametrize("how", ["never set up", "no marker", "marker of another", "is not there"])
def test_without_the_right_marker_no_byte_is_written_and_the_backup_succeeds(
    saved: Project, drive: Path, how: str
) -> None:
    if how != "never set up":
        init_mirror(saved, str(drive))
    if how == "no marker":
        (drive / MARKER).unlink()
    if how == "marker of another":
        (drive / MARKER).write_text(json.dumps({"uuid": "another"}))
    if how == "is not there":
        (drive / MARKER).unlink()
        drive.rmdir()
    before = tree(drive.parent, "drive")
    report = Reports()
    entry = create_backup(saved, config(drive), Request(), report)
    assert tree(drive.parent, "drive") == before and drive.exists() == (how != "is not there")
    assert entry["mirror"]["status"] == "missing" and how in entry["mirror"]["message"]
    assert [alert["level"] for alert in report.alerts] == ["warning"]
    card = history.hub_status(saved)
    assert card is not None and card["status"] == "warning" and how in card["mirror"]["message"]


def test_a_drive_that_vanishes_half_way_gets_no_further_byte(saved: Project, drive: Path) -> None:
    init_mirror(saved, str(drive))

    class Unplugged(FailingDisk):
        def rename(self, source: Path, target: Path) -> None:
            super().rename(source, target)
            (drive / MARKER).unlink(missing_ok=True)

    entry = backup(saved, config=config(drive), mirror_disk=Unplugged(10_000))
    assert entry["mirror"]["status"] == "failed" and "may not be mounted" in entry["mirror"]["message"]
    assert len(list((drive / ".objects").glob("??/*"))) == 1 and Store(drive).labels() == set()


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_a_mirror_that_fails_at_any_write_is_a_warning_and_catches_up_later(
    saved: Project, drive: Path, step: int
) -> None:
    init_mirror(saved, str(drive))
    for at in range(1, 200, step):
        write(saved.root, {"lessons/lesson_01.json": str(at)})
        entry = backup(saved, config=config(drive), mirror_disk=FailingDisk(at))
        assert Store(drive).listing().damaged == {}
        if entry["mirror"]["status"] == "ok":
            break
        assert entry["status"] == "warning"
    assert at > 20 and backup(saved, config=config(drive))["mirror"]["status"] == "ok"
    assert all(check.ok for check in verify_all(Store(drive)))


def test_the_mirror_is_thinned_out_by_the_same_rules(saved: Project, drive: Path) -> None:
    init_mirror(saved, str(drive))
    for number in range(4):
        write(saved.root, {"lessons/lesson_01.json": str(number)})
        backup(saved, config=config(drive, keep_last=2, keep_daily=0, keep_weekly=0))
    assert Store(drive).labels() == Store(saved.backups).labels() and len(Store(drive).labels()) == 2


def test_a_shrink_alarm_stops_the_rotation_on_the_mirror_as_well(saved: Project, drive: Path) -> None:
    init_mirror(saved, str(drive))
    tight = config(drive, keep_last=1, keep_daily=0, keep_weekly=0)
    good = backup(saved, config=tight)["label"]
    (saved.lessons / "lesson_01.json").unlink()
    for _ in range(3):
        assert backup(saved, config=tight)["status"] == "warning"
    assert good in Store(drive).labels() and good in Store(saved.backups).labels()


def test_a_lost_machine_is_restored_from_the_mirror(saved: Project, drive: Path, tmp_path: Path) -> None:
    init_mirror(saved, str(drive))
    add_adapter(saved.root, 2)
    label = backup(saved, config=config(drive))["label"]
    fresh = Project(tmp_path / "new machine")
    restore(fresh, Backup(), label, Reports(), source=Store(drive))
    kept = {path: data for path, data in tree(saved.root).items() if "checkpoint" not in path}
    kept = {p: d for p, d in kept.items() if not p.startswith(("models/tiny", "models/blueprint-lora-v1"))}
    assert tree(fresh.root) == kept


def test_setting_up_a_folder_that_is_missing_or_not_configured_or_inside_the_backups_is_refused(
    saved: Project, drive: Path
) -> None:
    with pytest.raises(InputError, match=r"backup.mirror is not set"):
        init_mirror(saved, None)
    with pytest.raises(InputError, match="does not exist"):
        init_mirror(saved, str(drive / "typo"))
    (saved.backups / "mirror").mkdir(parents=True)
    with pytest.raises(InputError, match="lies inside"):
        init_mirror(saved, str(saved.backups / "mirror"))


def test_a_marked_folder_is_adopted_not_marked_again(saved: Project, drive: Path) -> None:
    first = init_mirror(saved, str(drive))
    (saved.backups / "mirror.json").unlink()
    assert init_mirror(saved, str(drive)) == {**first, "adopted": True}
