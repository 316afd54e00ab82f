"""Live state v1, the one object the pages draw: documented in docs/state_schema.md. Times are UTC
ISO-8601.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

SCHEMA_VERSION = 1
Point = tuple[float, float]  # (optimizer step, value)
Range = tuple[float, float]  # (p10, p90), seconds


class Progress(Struct, frozen=True):
    """How far a stage is, in its own unit."""

    done: float
    total: float
    unit: str = ""


class Step(Struct, frozen=True):
    """A sub-step such as 4.3 training loop."""

    id: str
    title: str


class Mark(Struct, frozen=True):
    """What a power cut cannot take any more: the step of a whole checkpoint, answers on disk."""

    value: float
    unit: str = ""


class StageState(Struct, frozen=True):
    """One stage of the run. `reads` and `writes` are project paths; `log` lies in the run folder."""

    id: str
    title: str
    phase: int
    script: str
    log: str
    kind: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    status: str = "pending"  # pending | running | retrying | succeeded | failed | skipped | stopped
    attempt: int = 0
    max_attempts: int = 1
    ended_attempt: int = 0  # the last attempt whose end was seen
    started_at: str | None = None
    ended_at: str | None = None
    progress: Progress | None = None
    metrics: dict[str, Any] = {}
    eta_s: Range | None = None
    message: str = ""
    step: Step | None = None
    result: dict[str, Any] = {}  # the plain values of its done record, e.g. {"version": "v3"}
    mark: Mark | None = None
    nodes: tuple[str, ...] = ()  # boxes of the anomaly track's graph that show how it is getting on


class Phase(Struct, frozen=True):
    id: int
    title: str


class Watch(Struct, frozen=True):
    """What the guard allows the running stage: its phase (`output`: it has no counter), since when its
    silence counts, how long that is fine and how long it may last (None: for ever), seconds, and where the
    limit comes from.
    """

    phase: str
    quiet_since: str
    warn_s: float
    limit_s: float | None
    origin: str
    slow: bool = False


class Current(Struct, frozen=True):
    """The stage that runs; `last_progress_at` moves only with real progress, never with log lines."""

    stage: str
    since: str
    last_progress_at: str
    watch: Watch | None = None


class PreviousCurve(Struct, frozen=True):
    """The training curve of the version before, to draw behind this one."""

    version: int
    train: tuple[Point, ...] = ()


class Curve(Struct, frozen=True):
    train: tuple[Point, ...] = ()
    eval: tuple[Point, ...] = ()
    lr: tuple[Point, ...] = ()
    previous: PreviousCurve | None = None


class Quality(Struct, frozen=True):
    """How good earlier forecasts of this profile were: of `count` runs' ends so many lay `inside` the range
    that was shown; `median_error` is a share of the time that was left.
    """

    count: int
    inside: int
    median_error: float


class Eta(Struct, frozen=True):
    """When the run will be done: seconds left and moments, each as (p10, p90); `retries_s` comes on top if
    attempts fail as often as before.
    """

    remaining_s: Range
    done_at: tuple[str, str]
    middle_s: float = 0.0
    retries_s: float = 0.0
    quality: Quality | None = None


class Heartbeat(Struct, frozen=True):
    """Signs of life: `at` of the orchestrator, `stage_at` the last event of the running stage."""

    at: str
    stage_at: str | None = None


class NodeStatus(Struct, frozen=True):
    """What a box of the flowchart or a node of the graph shows."""

    status: str = "idle"  # idle | running | done | fail
    message: str = ""
    updated_at: str = ""


class RunError(Struct, frozen=True):
    """A failed attempt. `words` names its class; the marks are those before and after it."""

    at: str
    stage: str
    attempt: int
    kind: str
    message: str
    next_command: str | None = None
    words: str = ""
    seconds: float | None = None
    mark_before: float | None = None
    mark_after: float | None = None


class Waiting(Struct, frozen=True):
    """What the run waits for before it goes on by itself; `words` continue "waiting for"."""

    kind: str  # waiting_gpu | waiting_room
    stage: str
    since: str
    words: str


class RetryWait(Struct, frozen=True):
    """The attempt that is waited for: why (`words` names the class) and what will be different."""

    stage: str
    attempt: int
    max_attempts: int
    next_at: str
    words: str = ""
    cause: str = ""
    change: str = ""


class Change(Struct, frozen=True):
    """A setting that a recovery has changed, shown until the run ends. # ops R4"""

    at: str
    stage: str
    setting: str
    old: str
    new: str
    reason: str = ""


class Alert(Struct, frozen=True):
    at: str
    level: str  # info | warning | critical
    title: str
    stage: str | None = None
    detail: str = ""
    next_command: str | None = None


class Stop(Struct, frozen=True):
    """A stop request; `answered_at` is when the run had stopped."""

    requested_at: str
    by: str  # terminal | page | signal
    answered_at: str | None = None
    now: bool = False


class Result(Struct, frozen=True):
    """What the run left behind; `report` is a project path."""

    exit_code: int
    version: str | None = None
    report: str | None = None


class LiveState(Struct, frozen=True):
    """The whole state of one run."""

    run_id: str = ""
    schema_version: int = SCHEMA_VERSION
    pipeline: str = "blueprint"
    profile: str = ""
    mode: str = "full"
    command: str = ""
    # idle | starting | running | retrying | stopping | stopped | succeeded | failed
    status: str = "idle"
    pid: int = 0
    started_at: str | None = None
    updated_at: str | None = None
    ended_at: str | None = None
    phases: tuple[Phase, ...] = ()
    stages: tuple[StageState, ...] = ()
    current: Current | None = None
    curve: Curve = Curve()
    curves: dict[str, Curve] = {}  # by stage, in the anomaly track, which trains more than one model
    eta: Eta | None = None
    heartbeat: Heartbeat | None = None
    hardware: dict[str, Any] = {}
    nodes: dict[str, NodeStatus] = {}
    errors: tuple[RunError, ...] = ()
    retry: RetryWait | None = None
    waiting: Waiting | None = None
    recoveries: tuple[Change, ...] = ()
    alerts: tuple[Alert, ...] = ()
    answers: tuple[dict[str, Any], ...] = ()
    stop: Stop | None = None
    result: Result | None = None
    resumable: bool = False

    def stage(self, key: str) -> StageState:
        """Return one stage; KeyError if the plan has none of that key."""
        for stage in self.stages:
            if stage.id == key:
                return stage
        raise KeyError(key)


def to_json(state: LiveState) -> bytes:
    """Write the state as one JSON object with a final line end."""
    return msgspec.json.encode(state) + b"\n"


def from_json(data: bytes) -> LiveState:
    """Read what `to_json` wrote; raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(data, type=LiveState)
