"""Who computes on which GPU, by asking nvidia-smi; and which of our own processes were left behind.

nvidia-smi runs beside us and is asked for its answer, never waited for: a sick driver can hang for minutes.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from nightforge.core.leftovers import Tagged, tagged_processes
from nightforge.core.paths import Project
from nightforge.core.processes import boot_id
from nightforge.core.records import read_object
from nightforge.pipeline.gate import Card, Holder

ANSWER_LIMIT_S = 5.0
_CARDS = "--query-gpu=index,uuid,memory.used,memory.total"
_PROCESSES = "--query-compute-apps=gpu_uuid,pid,used_memory"
_TAG = re.compile(r"[0-9a-f]+-([0-9A-Za-z]+(?:-[0-9A-Za-z]+)*)")  # nonce, stage key, attempt
_SHOWN_CHARS = 60


class Look(NamedTuple):
    """What nvidia-smi told; `trouble` is why it could not be asked, in words."""

    cards: tuple[Card, ...] = ()
    trouble: str = ""


class Question:
    """One question to nvidia-smi under way."""

    def __init__(self, program: str) -> None:
        """Start asking; raises OSError when the program cannot be started."""
        self._deadline = time.monotonic() + ANSWER_LIMIT_S
        self._asked = [_ask(program, query) for query in (_CARDS, _PROCESSES)]

    def answer(self) -> Look | None:
        """Return the answer, or None while there is none yet."""
        if all(process.poll() is not None for process in self._asked):
            return self._read()
        if time.monotonic() < self._deadline:
            return None
        self.end()
        return Look(trouble=f"nvidia-smi gave no answer within {ANSWER_LIMIT_S:.0f} s; the driver may hang")

    def end(self) -> None:
        """Give the question up. Whoever does not die of it is not waited for."""
        for process in self._asked:
            if process.poll() is None:
                _kill(process)
                with contextlib.suppress(subprocess.TimeoutExpired):  # a driver may hold it for ever
                    process.wait(0.2)
            if process.stdout is not None:
                process.stdout.close()

    def _read(self) -> Look:
        texts = [process.stdout.read() if process.stdout else "" for process in self._asked]
        codes = [process.returncode for process in self._asked]
        self.end()
        if "No devices were found" in texts[0]:
            return Look()
        if any(codes):
            line = (texts[0].strip().splitlines() or ["no words"])[0][:200]
            return Look(trouble=f"nvidia-smi failed with exit code {max(codes, key=abs)}: {line}")
        return parse(*texts)


def _ask(program: str, query: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, query, "--format=csv,noheader,nounits"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=sys.platform != "win32",
    )


def _kill(process: subprocess.Popen[str]) -> None:
    """End it with whatever it started; nobody has waited for this child of ours, so the pid is its own."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        return  # ended just now


def parse(cards: str, processes: str) -> Look:
    """Read both answers; a value the driver does not tell (`[N/A]`) is None, others must be numbers."""
    try:
        holders: dict[str, list[Holder]] = {}
        for uuid, pid, used in _rows(processes, 3):
            holders.setdefault(uuid, []).append(Holder(int(pid), _number(used)))
        found = [
            Card(int(index), uuid, _number(used), _number(total), tuple(holders.get(uuid, ())))
            for index, uuid, used, total in _rows(cards, 4)
        ]
    except ValueError as error:
        return Look(trouble=f"nvidia-smi's answer cannot be read: {error}")
    return Look(tuple(found))


def _rows(text: str, width: int) -> list[list[str]]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    for row in rows:
        if len(row) != width:
            raise ValueError(f"{width} values expected in {', '.join(row)[:100]!r}")
    return rows


def _number(text: str) -> int | None:
    return None if text.startswith("[") else int(text)


def find_nvidia_smi() -> str | None:
    """Return the path of nvidia-smi; without it there is no NVIDIA driver to ask."""
    return shutil.which("nvidia-smi")


def our_leftovers(project: Project) -> list[Tagged]:
    """Find what earlier attempts of this project have left: run tag, user and start time match. # ops K6"""
    here = boot_id()
    return [process for process in tagged_processes() if _is_ours(process, project.runs, here)]


def _is_ours(process: Tagged, runs: Path, here: str) -> bool:
    name = _TAG.fullmatch(process.tag)
    if name is None:
        return False
    for path in runs.glob(f"*/attempts/{name[1]}.order.json"):
        order = read_object(path) or {}
        if order.get("tag") == process.tag and order.get("boot_id") == here:
            return process.started >= int(order.get("ticks", sys.maxsize))
    return False


def name_of(holder: Holder) -> str:
    """Name a process for people: `python (pid 12, alice) with 70,000 MB`."""
    import psutil

    try:
        process = psutil.Process(holder.pid)
        who = f"{process.name()[:_SHOWN_CHARS]} (pid {holder.pid}, {process.username()[:_SHOWN_CHARS]})"
    except psutil.NoSuchProcess:
        who = f"pid {holder.pid} (cannot be seen from here)"
    except psutil.Error:
        who = f"pid {holder.pid} (another user's)"
    used = "an unknown amount of memory" if holder.used_mb is None else f"{holder.used_mb:,} MB"
    return f"{who} with {used}"
