"""SIGKILL at a random moment: the newest complete backup verifies, and the next one needs no repair."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest
from backup_fakes import backup, make_project, write

from nightforge.backup.store import Store
from nightforge.backup.verify import verify_snapshot
from nightforge.config.schema import Backup
from nightforge.core.paths import Project

TIGHT = Backup(keep_last=2, keep_daily=0, keep_weekly=0)


def back_up_for_ever(root: Path, seed: int) -> None:
    project, number = Project(root), 0
    while True:
        number += 1
        write(
            root,
            {"lessons/lesson_01.json": f"{seed}/{number}", "data/blueprint/val.jsonl": "x" * number * 999},
        )
        backup(project, config=TIGHT)


@pytest.mark.skipif(os.name == "nt", reason="uses fork")
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_random_points_the_newest_complete_backup_always_verifies(
    tmp_path: Path, kills: int
) -> None:
    project = make_project(tmp_path)
    backup(project, config=TIGHT)
    draw, partial_seen = random.Random(11), 0
    for seed in range(kills):
        child = multiprocessing.get_context("fork").Process(target=back_up_for_ever, args=(tmp_path, seed))
        child.start()
        time.sleep(draw.uniform(0.005, 0.12))
        child.kill()
        child.join()
        store = Store(project.backups)
        listing = store.listing()
        assert listing.damaged == {}
        assert verify_snapshot(store, listing.snapshots[-1].label).ok
        partial_seen += any(name.startswith((".partial", ".trash")) for name in os.listdir(project.backups))
    assert partial_seen > 0, "no kill hit a backup while it was writing"
    label = backup(project, config=TIGHT)["label"]
    assert verify_snapshot(Store(project.backups), label).ok
    assert not [name for name in os.listdir(project.backups) if name.startswith((".partial", ".trash"))]
