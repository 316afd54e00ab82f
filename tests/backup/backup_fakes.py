"""A small project, a reporter that remembers, and a disk that fails at a chosen operation."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightforge.backup.disk import Disk
from nightforge.backup.snapshot import Request, create_backup
from nightforge.config.schema import Backup
from nightforge.core.paths import Project


class Reports:
    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.messages: list[str] = []

    def phase(self, step: str, title: str) -> None: ...

    def progress(self, done: int, total: int, unit: str) -> None: ...

    def watch(self, phase: str, done: int = 0) -> None: ...

    def message(self, text: str) -> None:
        self.messages.append(text)

    def alert(self, level: str, title: str, detail: str = "", next_command: str | None = None) -> None:
        alert = {"level": level, "title": title, "detail": detail, "next": next_command}
        self.alerts.append(alert)


class FailingDisk(Disk):
    """Fails at operation `at` and at every one after it, like a drive that is gone or a killed process."""

    def __init__(self, at: int, number: int = errno.ENOSPC) -> None:
        self.at, self.number, self.count = at, number, 0

    def _count(self) -> None:
        self.count += 1
        if self.count >= self.at:
            raise OSError(self.number, os.strerror(self.number), "the backup disk")

    def make_folder(self, folder: Path) -> None:
        self._count()
        super().make_folder(folder)

    def write(self, descriptor: int, data: bytes) -> None:
        # Half of the bytes reach the disk before it fails: the worst case is a torn file, not a missing one.
        if self.count + 1 >= self.at:
            os.write(descriptor, data[: len(data) // 2])
        self._count()
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._count()
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> bool:
        self._count()
        return super().link(source, target)

    def remove(self, path: Path) -> None:
        self._count()
        super().remove(path)

    def remove_tree(self, folder: Path) -> None:
        self._count()
        super().remove_tree(folder)


class NoLinkDisk(Disk):
    def link(self, source: Path, target: Path) -> bool:
        return False


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def add_adapter(root: Path, version: int, weights: str = "weights") -> None:
    folder = f"models/blueprint-lora-v{version}"
    write(
        root,
        {
            f"{folder}/adapter_model.safetensors": f"{weights} of {version}",
            f"{folder}/checkpoint-40/optimizer.pt": "large and rebuildable",
            f"{folder}/manifest.json": json.dumps({"schema_version": 1, "version": version, "files": {}}),
        },
    )


def make_project(root: Path) -> Project:
    write(
        root,
        {
            "pipeline_config.json": "{}",
            "profiles/tiny.json": "{}",
            "lessons/lesson_01.json": '{"lesson_id": "L01"}',
            "lessons/lesson_02.json": '{"lesson_id": "L02"}',
            "data/blueprint/train.jsonl": "".join(f'{{"id": "r{i}"}}\n' for i in range(40)),
            "results/exams/v1/summary.json": '{"version": "v1"}',
            "models/tiny-base/0123456789abcdef/model.safetensors": "never in a backup",
            "logs/runs/r1/04.log": "never in a backup",
        },
    )
    add_adapter(root, 1)
    return Project(root)


def tree(root: Path, *folders: str) -> dict[str, bytes]:
    """Every file below the folders, without checkpoints: what a restore must bring back bit for bit."""
    names = folders or ("data", "lessons", "results", "profiles", "models", "pipeline_config.json")
    found: dict[str, bytes] = {}
    for name in names:
        base = root / name
        for path in [base] if base.is_file() else sorted(base.rglob("*")):
            if path.is_file():
                found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


def ticking(start: int = 0) -> Callable[[], str]:
    """A clock that moves on by one hour each time it is asked."""
    hours = iter(range(start, 10_000))

    def now() -> str:
        hour = next(hours)
        return f"2026-11-{1 + hour // 24:02d}T{hour % 24:02d}:00:00.000Z"

    return now


def backup(
    project: Project, trigger: str = "manual", config: Backup | None = None, **fields: Any
) -> dict[str, Any]:
    return create_backup(project, config or Backup(), Request(trigger=trigger, **fields), Reports())
