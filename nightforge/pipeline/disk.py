"""A run on a disk without room: it waits, makes room, says so, and goes on by itself. # ops Q2, Q3, Q5

Waiting uses up no attempt and answers a stop request at once. The reserve file is given up as soon as the
orchestrator's own files cannot be written, and grows again, a little at a time, when there is room.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nightforge.config import Config
from nightforge.core.clock import Clock
from nightforge.core.paths import Project
from nightforge.core.room import CHUNK_MB, MB, Reserve, free_bytes, free_inodes, wanted_for_checkpoint
from nightforge.pipeline.budget import checkpoint_bytes, stream_checkpoint_bytes
from nightforge.pipeline.preflight import gather, size_of
from nightforge.pipeline.prune import make_room, trim_logs
from nightforge.pipeline.recorder import QUIET_S, Recorder
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.retry import Verdict

WAITING = "waiting_room"
_TICK_S = 0.1
_FULL_BYTES = MB  # with less, writes fail or will at once
_FILES, _FEW_FILES = 64, 8  # free inodes to go on with; with fewer, making a file fails or will at once
_TEMPORARY_BYTES = 8 * MB
_PIECE_S = 1.0  # between two pieces of the reserve: one takes as long as several stages may
_LONGEST_S = 600.0  # between attempts of a stage that finds the disk full again and again
# Kinds a stage may end with because it could not even write why.
_UNEXPLAINED = frozenset(
    {"temporary", "failed", "unknown", "late", "no_done", "start", "io_transient", "io_hard"}
)


class Shortage(NamedTuple):
    """A disk with too little room: where, what is free and what is needed to go on, bytes."""

    folder: Path
    free: int
    needed: int
    files: int | None = None  # free inodes, when these are what is missing


class Room:
    """The disks of one run."""

    def __init__(self, project: Project, config: Config, run_id: str, *, language_model: bool = True) -> None:
        self._project = project
        self._run_id = run_id
        self._margin = config.disk.reserve_mb * MB
        self._checkpoint = (
            checkpoint_bytes(gather(project, config).shape, config)
            if language_model
            else stream_checkpoint_bytes(config)
        )
        self._spare = wanted_for_checkpoint(self._checkpoint, self._margin)  # stays free beside the reserve
        self._cap = config.disk.all_logs_mb * MB
        self.look_s = config.disk.look_seconds
        self.reserve = Reserve(project.reserve, self._margin)
        self._tended_at = self._said_at = float("-inf")
        self._grow_at: float | None = None
        self._seen_full = False

    def needed(self, spec: StageSpec) -> int:
        """Return what must be free on the project's disk before this stage runs, bytes."""
        if spec.number not in ("04", "22", "23"):
            return self._margin
        saved = [size_of(path) for path in (self._project.models / ".work").glob("*/checkpoint-*")]
        return wanted_for_checkpoint(max(saved, default=self._checkpoint), self._margin)

    def shortage(self, spec: StageSpec) -> Shortage | None:
        """Return the disk that lacks most room for this stage; None when there is enough."""
        needed = self.needed(spec)
        places = [
            Shortage(folder, free_bytes(folder), bytes_needed)
            for folder, bytes_needed in (
                (self._project.root, needed),
                (self._project.backups, self._margin),
                (Path(tempfile.gettempdir()), min(self._margin, _TEMPORARY_BYTES)),
            )
        ]
        worst = max(places, key=lambda place: place.needed - place.free)
        if worst.free < worst.needed:
            return worst
        files = free_inodes(self._project.root)
        return worst._replace(files=files) if files is not None and files < _FILES else None

    def state(self, spec: StageSpec) -> Shortage:
        """Return the numbers to show, whether there is enough or not."""
        found = self.shortage(spec)
        return found or Shortage(self._project.root, free_bytes(self._project.root), self.needed(spec))

    def prune(self, spec: StageSpec) -> list[str]:
        """Make room for this stage in the order of Q4; only between attempts."""
        return make_room(self._project, self._run_id, lambda: self.shortage(spec) is None)

    def begin(self, now_s: float) -> None:
        """Start watching over one attempt. The reserve has its first piece before the first of them starts; a
        run with nothing to do needs none.
        """
        self._seen_full = False
        if self._grow_at is None:
            self._grow(now_s)

    @property
    def was_full(self) -> bool:
        """Tell whether the project's disk took no more at some moment since `begin`."""
        return self._seen_full

    def tend(self, recorder: Recorder, now_s: float) -> None:
        """Give the reserve up while our own files cannot be written, and let it grow when there is room."""
        full = recorder.full
        self._seen_full = self._seen_full or full or self._takes_no_more()
        if full:
            freed = self._give_up()
            self._grow_at = now_s + self.look_s
            if freed:
                self._tended_at = now_s
                self._tell_given_up(freed, recorder, now_s)
            elif now_s - self._tended_at >= self.look_s:
                self._tended_at = now_s
                with suppress(OSError):  # the alert about refused writes stands already
                    trim_logs(self._project, self._run_id, 0)
        elif self._grow_at is not None and now_s >= self._grow_at and recorder.state.waiting is None:
            self._grow(now_s)

    def _takes_no_more(self) -> bool:
        files = free_inodes(self._project.root)
        few = files is not None and files < _FEW_FILES
        return few or free_bytes(self._project.root) < _FULL_BYTES

    def _tell_given_up(self, freed: int, recorder: Recorder, now_s: float) -> None:
        if now_s - self._said_at >= QUIET_S:
            self._said_at = now_s
            words = f"{freed / MB:.0f} MB were given up so that the state of the run can be written"
            recorder.record("alert", level="warning", title="The reserve was given up", detail=words)

    def _give_up(self) -> int:
        try:
            return self.reserve.release()
        except OSError:  # a disk that refuses even this is told by the alert about refused writes
            return 0

    def _grow(self, now_s: float) -> None:
        whole = False
        try:
            whole = self.reserve.grow(self._spare)
            going_on = not whole and free_bytes(self._project.logs) > self._spare + CHUNK_MB * MB
        except OSError:  # filled up while we wrote; what is there counts, the rest comes later
            going_on = False
        self._grow_at = now_s + (_PIECE_S if going_on else self.look_s)


def blame_disk(room: Room | None, verdict: Verdict, recorder: Recorder) -> Verdict:
    """Explain a failure that the stage could not explain itself: no room to write on. # ops R2"""
    if room is None or verdict.outcome != "failed" or verdict.kind not in _UNEXPLAINED:
        return verdict
    if not (recorder.full or room.was_full):
        return verdict
    return verdict._replace(kind="disk_full", message=f"the disk is full; {verdict.message}")


def least_wait_s(room: Room, times: int) -> float:
    """Return how long a stage that met a full disk for the n-th time in a row waits even if there is room:
    it may need more than anybody can know. The first time room is enough.
    """
    return float(min(_LONGEST_S, room.look_s * 2 ** (times - 2))) if times > 1 else 0.0


def wait_for_room(
    room: Room | None,
    spec: StageSpec,
    recorder: Recorder,
    clock: Clock,
    tick: Callable[[], None],
    times: int = 0,
) -> bool:
    """Wait until there is room for a stage; False as soon as a stop is requested.

    `times` is how often in a row this stage has ended for want of room.
    """
    if room is None or (not times and room.shortage(spec) is None):
        return True
    began = clock.monotonic()
    until = began + least_wait_s(room, times)
    look_at, told = began, False
    while recorder.state.stop is None:
        now_s = clock.monotonic()
        if now_s >= look_at:
            if room.shortage(spec) is not None:
                _prune(room, spec, recorder)
            if room.shortage(spec) is None and now_s >= until:
                break
            soon = room.shortage(spec) is None and until < now_s + room.look_s
            look_at = until if soon else now_s + room.look_s
            _tell(room.state(spec), spec, recorder, first=not told)
            told = True
        clock.sleep(_TICK_S)
        tick()
    if told:
        recorder.record("waiting_ended", kind=WAITING, stage=spec.key)
    return recorder.state.stop is None


def _tell(found: Shortage, spec: StageSpec, recorder: Recorder, first: bool) -> None:
    if first:  # one alert per pause, however long it lasts. # ops Q5
        recorder.record(
            "alert",
            stage=spec.key,
            level="critical",
            title="The disk is full",
            detail=f"Waiting for {_words(found)}. The run goes on by itself; no attempt is used up.",
            next_command="python scripts/16_backup.py --list  (what old backups take)",
        )
    recorder.record("waiting_started", kind=WAITING, stage=spec.key, words=_words(found))


def _words(found: Shortage) -> str:
    if found.files is not None:
        return f"room for files on the disk of {found.folder} ({found.files} more, {_FILES} needed)"
    numbers = f"{found.free / MB:,.1f} MB free, {found.needed / MB:,.1f} MB needed"
    missing = found.needed - found.free
    if missing <= 0:
        return f"a moment, since the disk of {found.folder} was full ({numbers})"
    return f"{missing / MB:,.1f} MB of room on the disk of {found.folder} ({numbers})"


def _prune(room: Room, spec: StageSpec, recorder: Recorder) -> None:
    try:
        done = room.prune(spec)
    except OSError as error:
        words = f"room could not be made: {error.strerror or error} ({error.filename})"
        recorder.record("alert", stage=spec.key, level="warning", title="Pruning failed", detail=words)
        return
    if done:
        recorder.record(
            "alert", stage=spec.key, level="warning", title="Room was made", detail="; ".join(done)
        )
