"""A backup holds what matters, proves it by reading it back, and says so only then."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from backup_fakes import FailingDisk, NoLinkDisk, Reports, add_adapter, backup, make_project, ticking, write
from links import need_link

from nightforge.backup import history
from nightforge.backup.disk import Disk
from nightforge.backup.lock import exclusive
from nightforge.backup.manifest import FileEntry, is_label, load, make_label
from nightforge.backup.retention import Keep, pin, to_remove
from nightforge.backup.snapshot import Request, create_backup
from nightforge.backup.store import Store
from nightforge.backup.verify import verify_all, verify_snapshot
from nightforge.config.schema import Backup
from nightforge.core.atomic import sha256_file
from nightforge.core.errors import InputError, NothingNewError, StageError, TemporaryError
from nightforge.core.paths import Project


@pytest.fixture
def saved(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def test_a_snapshot_holds_what_matters_and_neither_base_model_nor_checkpoints_nor_logs(
    saved: Project,
) -> None:
    entry = backup(saved, "post_train", run_id="run-1")
    manifest = load(saved.backups / entry["label"])
    assert sorted(manifest.files) == [
        "data/blueprint/train.jsonl",
        "lessons/lesson_01.json",
        "lessons/lesson_02.json",
        "models/blueprint-lora-v1/adapter_model.safetensors",
        "models/blueprint-lora-v1/manifest.json",
        "pipeline_config.json",
        "profiles/tiny.json",
        "results/exams/v1/summary.json",
    ]
    assert entry["label"].endswith("-post_train-v1") and is_label(entry["label"])
    assert manifest.verified_at >= manifest.created_at and manifest.run_id == "run-1"
    for path, file in manifest.files.items():
        assert file == FileEntry(sha256_file(saved.root / path), (saved.root / path).stat().st_size)


def test_the_champion_is_kept_beside_the_newest_adapter(saved: Project) -> None:
    for version in (2, 10):
        add_adapter(saved.root, version)
    write(saved.root, {"models/champion.json": '{"version": 2}'})
    manifest = load(saved.backups / backup(saved)["label"])
    adapters = {path.split("/")[1] for path in manifest.files if path.startswith("models/blueprint")}
    assert adapters == {"blueprint-lora-v2", "blueprint-lora-v10"} and manifest.version == 10


def test_labels_stay_unique_within_one_second(saved: Project) -> None:
    same = "2026-11-21T17:15:00.123Z"
    labels = [backup(saved, now=lambda: same)["label"] for _ in range(12)]
    assert labels[0] == "20261121-171500-manual" and labels[1] == "20261121-171500-manual-2"
    assert len(set(labels)) == 12 and all(map(is_label, labels))
    listed = [snapshot.label for snapshot in Store(saved.backups).listing().snapshots]
    assert listed == labels[-10:]  # keep_last is 10, and -10 is younger than -9


def test_a_version_and_a_serial_number_do_not_mix() -> None:
    taken = {"20261121-171500-post_train-v3"}
    assert make_label("2026-11-21T17:15:00.000Z", "post_train", 3, taken) == "20261121-171500-post_train-v3-2"


def test_equal_files_are_stored_once_and_linked_inside_the_store_only(saved: Project) -> None:
    first, second = backup(saved), backup(saved)
    assert first["new_bytes"] > 0 and second["new_bytes"] == 0
    path = "data/blueprint/train.jsonl"
    stored = [Store(saved.backups).file(entry["label"], path).stat() for entry in (first, second)]
    assert stored[0].st_ino == stored[1].st_ino
    assert (
        stored[0].st_ino != (saved.root / path).stat().st_ino
    )  # an in-place write must not reach the backup
    with (saved.root / path).open("r+") as file:
        file.write("overwritten")
    assert verify_snapshot(Store(saved.backups), first["label"]).ok


def test_a_file_system_without_hard_links_gets_copies_that_verify(saved: Project) -> None:
    entry = backup(saved, disk=NoLinkDisk())
    stored = Store(saved.backups).file(entry["label"], "lessons/lesson_01.json").stat()
    assert stored.st_nlink == 1 and verify_snapshot(Store(saved.backups), entry["label"]).ok


def test_every_file_and_every_folder_is_flushed_before_the_snapshot_gets_its_name(
    saved: Project, synced: list[int]
) -> None:
    flushed_before_rename: list[int] = []

    class Watched(Disk):
        def rename(self, source: Path, target: Path) -> None:
            if target.parent == saved.backups:
                flushed_before_rename.append(len(synced))
            super().rename(source, target)

    backup(saved, disk=Watched())
    objects, folders = 7, 11  # two of the 8 files are equal; the staging folder, files/ and 9 below it
    flushed = objects + 1 if os.name == "nt" else 2 * objects + 1 + folders  # Windows flushes no folders
    assert flushed_before_rename == [flushed]  # each object and its folder, the manifest, the tree
    assert len(synced) > flushed_before_rename[0]


def test_a_scheduled_backup_without_a_change_says_nothing_new(saved: Project) -> None:
    label = backup(saved)["label"]
    with pytest.raises(NothingNewError, match=label) as caught:
        backup(saved, "scheduled")
    assert caught.value.exit_code == 3
    write(saved.root, {"lessons/lesson_01.json": "changed"})
    assert backup(saved, "scheduled")["new_bytes"] == len("changed")


def test_an_empty_project_has_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(NothingNewError, match="nothing to back up"):
        backup(Project(tmp_path))


def test_an_unknown_trigger_is_refused_with_the_known_ones(saved: Project) -> None:
    with pytest.raises(InputError, match="pre_train"):
        backup(saved, "now")


def test_links_are_named_as_skipped_and_not_followed(saved: Project) -> None:
    need_link(saved.lessons / "link.json", saved.config_file)
    report = Reports()
    entry = create_backup(saved, Backup(), Request(), report)
    assert load(saved.backups / entry["label"]).skipped == {"lessons/link.json": "symbolic link"}
    assert report.alerts[0]["detail"] == "lessons/link.json"


def test_one_flipped_bit_in_any_object_is_found(saved: Project) -> None:
    label = backup(saved)["label"]
    store, draw = Store(saved.backups), random.Random(5)
    for path in sorted((saved.backups / ".objects").glob("??/*")):
        good = path.read_bytes()
        damaged = bytearray(good)
        bit = draw.randrange(len(good) * 8)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)  # in place: the snapshot's hard link sees it as well
        assert not verify_snapshot(store, label).ok, path
        path.write_bytes(good)
    assert verify_snapshot(store, label).ok


def test_one_flipped_bit_anywhere_in_a_manifest_is_found(saved: Project) -> None:
    label = backup(saved)["label"]
    path, draw = saved.backups / label / "manifest.json", random.Random(6)
    good = path.read_bytes()
    for bit in draw.sample(range(len(good) * 8), 300):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert not verify_snapshot(Store(saved.backups), label).ok, bit


@pytest.mark.parametrize("how", ["deleted", "extra"])
def test_a_missing_or_added_file_is_found(saved: Project, how: str) -> None:
    label = backup(saved)["label"]
    inside = saved.backups / label / "files" / "lessons"
    (inside / "lesson_01.json").unlink() if how == "deleted" else (inside / "new.json").write_text("x")
    found = verify_snapshot(Store(saved.backups), label).problems
    assert len(found) == 1 and ("is missing" in found[0] or "not in the manifest" in found[0])


@pytest.mark.slow
def test_a_thousand_random_bits_flipped_one_at_a_time_are_all_found(saved: Project) -> None:
    label, draw = backup(saved)["label"], random.Random(7)
    places = [*sorted((saved.backups / ".objects").glob("??/*")), saved.backups / label / "manifest.json"]
    found = 0
    for _ in range(1000):
        path = draw.choice(places)
        good = path.read_bytes()
        bit = draw.randrange(len(good) * 8)
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found += not verify_snapshot(Store(saved.backups), label).ok
        path.write_bytes(good)
    assert found == 1000


def test_a_damaged_object_does_not_spread_into_the_next_snapshot(saved: Project) -> None:
    first = backup(saved)["label"]
    entry = load(saved.backups / first).files["lessons/lesson_01.json"]
    Store(saved.backups).object_path(entry.sha256).write_bytes(b"rot")
    second = backup(saved)["label"]
    assert [check.ok for check in verify_all(Store(saved.backups))] == [False, True]
    assert verify_snapshot(Store(saved.backups), second).ok


def test_a_disk_that_returns_other_bytes_than_written_is_not_called_a_backup(saved: Project) -> None:
    class LyingDisk(Disk):
        def link(self, source: Path, target: Path) -> bool:
            target.write_bytes(b"what the failing disk holds")
            return True

    with pytest.raises(StageError, match="read back differently"):
        backup(saved, disk=LyingDisk())
    assert Store(saved.backups).labels() == set()
    assert history.hub_status(saved)["status"] == "failed"


@pytest.mark.parametrize("error", [errno.ENOSPC, pytest.param(errno.EIO, marks=pytest.mark.slow)])
def test_failing_at_any_write_leaves_the_last_backup_whole_and_nothing_to_unlock(
    tmp_path: Path, error: int
) -> None:
    saved = make_project(tmp_path)
    now = ticking()
    first = backup(saved, now=now)["label"]
    keep_one = Backup(keep_last=1, keep_daily=0, keep_weekly=0)
    finished = False
    for at in range(1, 400):
        write(saved.root, {"lessons/lesson_01.json": f"version {at}", f"results/new-{at % 3}.json": str(at)})
        try:
            backup(saved, config=keep_one, now=now, disk=FailingDisk(at, error))
            finished = True
        except OSError:
            pass
        store = Store(saved.backups)
        listing = store.listing()
        assert listing.damaged == {} and listing.snapshots, at
        assert verify_snapshot(store, listing.snapshots[-1].label).ok, at
        if finished:
            break
    assert finished and at > 20
    last = backup(saved, config=keep_one, now=now)["label"]
    assert first not in Store(saved.backups).labels() and Store(saved.backups).labels() == {last}
    assert not [name for name in os.listdir(saved.backups) if name.startswith((".partial", ".trash"))]


def test_a_full_disk_is_refused_with_the_numbers_before_a_byte_is_written(saved: Project) -> None:
    class FullDisk(Disk):
        def free_bytes(self, folder: Path) -> int:
            return 10 << 20

    with pytest.raises(TemporaryError, match="10 MiB free") as caught:
        backup(saved, disk=FullDisk())
    assert caught.value.exit_code == 75 and not (saved.backups / ".objects").exists()
    card = history.hub_status(saved)
    assert card["status"] == "failed" and "10 MiB free" in card["message"]


def test_a_second_writer_is_told_to_wait(saved: Project) -> None:
    with exclusive(saved.backups / ".lock", "busy"), pytest.raises(TemporaryError, match="another backup"):
        backup(saved)


def test_a_backup_that_shrinks_stops_the_rotation_until_a_reason_is_given(saved: Project) -> None:
    tight, now = Backup(keep_last=1, keep_daily=0, keep_weekly=0), ticking()
    good = backup(saved, config=tight, now=now)["label"]
    (saved.lessons / "lesson_01.json").unlink()
    for _ in range(
        3
    ):  # again and again, as an unattended machine would: the good one must survive every time
        report = Reports()
        entry = create_backup(saved, tight, Request(now=now), report)
        assert entry["status"] == "warning" and "lessons/lesson_01.json" in report.alerts[0]["detail"]
        assert good in Store(saved.backups).labels()
    assert history.hub_status(saved)["status"] == "warning"
    accepted = backup(saved, config=tight, now=now, reason="lesson withdrawn")
    assert accepted["status"] == "ok" and Store(saved.backups).labels() == {accepted["label"]}


def test_fewer_adapters_are_no_alarm_but_none_at_all_is(saved: Project) -> None:
    add_adapter(saved.root, 2)
    write(saved.root, {"models/champion.json": '{"version": 1}'})
    backup(saved)
    write(saved.root, {"models/champion.json": '{"version": 2}'})
    assert backup(saved)["status"] == "ok"
    for path in saved.models.glob("blueprint-lora-v*/manifest.json"):
        path.unlink()
    (saved.models / "champion.json").unlink()
    assert "no trained adapter" in " ".join(backup(saved)["messages"])


def test_retention_keeps_newest_daily_weekly_pinned_and_champion(saved: Project) -> None:
    now, labels = ticking(), []
    for number in range(40):  # one per hour and a half of two days
        write(saved.root, {"lessons/lesson_01.json": str(number)})
        labels.append(backup(saved, now=now, config=Backup(keep_last=1000))["label"])
    snapshots = Store(saved.backups).listing().snapshots
    days = sorted({snapshot.created_at[:10] for snapshot in snapshots})
    assert len(days) > 2
    newest_of_day = [max(s.label for s in snapshots if s.created_at[:10] == day) for day in days]
    doomed = to_remove(snapshots, Keep(last=2, daily=2, weekly=0, pinned=frozenset({labels[0]})))
    assert set(labels) - set(doomed) == {labels[0], *labels[-2:], *newest_of_day[-2:]}
    assert to_remove(snapshots, Keep(last=0, daily=0, weekly=0)) == labels[:-1]
    kept_for_champion = to_remove(snapshots[:3], Keep(last=1, daily=0, weekly=0, champion=1))
    assert kept_for_champion == labels[:2]  # the newest holds v1 already


def test_a_pinned_backup_survives_and_its_objects_with_it(saved: Project) -> None:
    now = ticking()
    tight = Backup(keep_last=1, keep_daily=0, keep_weekly=0)
    first = backup(saved, now=now, config=tight)["label"]
    assert pin(Store(saved.backups), first) and not pin(Store(saved.backups), first)
    for number in range(3):
        write(saved.root, {"lessons/lesson_01.json": f"{number}"})
        last = backup(saved, now=now, config=tight)["label"]
    assert Store(saved.backups).labels() == {first, last}
    assert all(check.ok for check in verify_all(Store(saved.backups)))
    objects = {p.name for p in (saved.backups / ".objects").glob("??/*")}
    used = {f.sha256 for s in Store(saved.backups).listing().snapshots for f in s.files.values()}
    assert objects == used


def test_nothing_is_removed_when_the_newest_survivor_does_not_verify(saved: Project) -> None:
    from nightforge.backup.retention import apply

    now = ticking()
    labels = [backup(saved, now=now)["label"] for _ in range(3)]
    store = Store(saved.backups)
    store.file(labels[-1], "lessons/lesson_01.json").unlink()
    removed, reason = apply(store, Keep(last=1, daily=0, weekly=0))
    assert removed == [] and reason and labels[-1] in reason and store.labels() == set(labels)


def test_a_damaged_list_of_pins_or_history_costs_no_backup_and_nothing_is_removed_or_overwritten(
    saved: Project,
) -> None:
    now, tight = ticking(), Backup(keep_last=1, keep_daily=0, keep_weekly=0)
    first = backup(saved, now=now, config=tight)["label"]
    (saved.backups / "pins.json").write_text("{")
    (saved.backups / "history.jsonl").write_text("rubbish\n")
    second = backup(saved, now=now, config=tight)
    assert second["status"] == "warning" and "pins.json, line 1" in second["messages"][0]
    assert Store(saved.backups).labels() == {first, second["label"]}
    assert (saved.backups / "history.damaged-1.jsonl").read_text() == "rubbish\n"
    card = history.hub_status(saved)
    assert card["status"] == "warning" and "history.damaged-1.jsonl" in card["message"]


def test_a_failed_backup_is_on_record_and_the_next_good_one_clears_it(saved: Project) -> None:
    with pytest.raises(OSError):
        backup(saved, disk=FailingDisk(6))
    assert history.hub_status(saved)["status"] == "failed"
    entry = backup(saved)
    card = history.hub_status(saved)
    assert card["status"] == "ok" and card["label"] == entry["label"] and card["files"] == 8
