"""A clock that jumps and processes that play a script: the runner without waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nightforge.config import Config
from nightforge.core.clock import format_time
from nightforge.pipeline.attempts import Ended
from nightforge.pipeline.disk import Room
from nightforge.pipeline.fold import Event
from nightforge.pipeline.forecast import Forecaster
from nightforge.pipeline.guards import GuardHandle
from nightforge.pipeline.history import ForecastLog, TimingHistory
from nightforge.pipeline.journal import Journal, StateFiles
from nightforge.pipeline.limits import StallLimits
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.recorder import Recorder
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.runner import Policy, Runner, Services
from nightforge.pipeline.stall import OUTPUT, PHASES, Limit, Limits
from nightforge.pipeline.states import LiveState, StageState
from nightforge.pipeline.supervise import Grace, Supervisor

START = datetime(2026, 11, 21, 17, 15, tzinfo=UTC)
DONE: Event = {"type": "done", "result": {}}


class FakeClock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> str:
        return format_time(START + timedelta(seconds=self.seconds))

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.001)


def same_limits(warn_s: float, kill_s: float | None) -> Limits:
    """The same limit for every phase; None: nothing is ever ended."""
    limit = Limit(warn_s, 10**6 if kill_s is None else kill_s)
    return Limits({phase: limit for phase in (*PHASES, OUTPUT)}, kill_s is not None)


@dataclass
class Script:
    """What one attempt does: events at seconds after its start, then an exit code (None: it never ends)."""

    code: int | None = 0
    after_s: float = 1.0
    events: list[tuple[float, Event]] = field(default_factory=list)
    on_terminate: int | None = -15  # None: ignores it
    while_running: Callable[[float], None] | None = None

    @classmethod
    def done(cls, after_s: float = 1.0, **result: Any) -> Script:
        return cls(0, after_s, [(after_s, {"type": "done", "result": result})])


class FakeAttempt:
    """Plays a Script on the fake clock; watched as its guard would."""

    def __init__(self, clock: FakeClock, script: Script, limits: Limits, grace: Grace) -> None:
        self._clock, self._script = clock, script
        self._began = clock.seconds
        self._watch = Supervisor(limits, grace, clock.seconds)
        self._events = sorted(script.events, key=lambda item: item[0])
        self._seen: list[Event] = []
        self._signs: list[Event] = []
        self._told = False
        self._code: int | None = None
        self.calls: list[str] = []

    def wait(self, timeout_s: float) -> Ended | None:
        self._clock.sleep(timeout_s)
        age = self._clock.seconds - self._began
        if self._script.while_running:
            self._script.while_running(age)
        if self._code is None and self._script.code is not None and age >= self._script.after_s:
            self._code = self._script.code
        ready = [event for at, event in self._events if at <= age]
        self._events = [item for item in self._events if item[0] > age]
        self._seen += ready
        if self._code is None:
            self._act(self._watch.observe(self._clock.seconds, ready, self._told))
        if self._code is None:
            return None
        return Ended(self._code, self._watch.ended_for, longest_s=self._watch.longest())

    def _act(self, action: str) -> None:
        if action == "warn":
            limit_s = self._watch.limit.kill_s if self._watch.kills else None
            self._signs.append({"type": "silent", "silent_s": self._watch.silent_s, "limit_s": limit_s})
        elif action == "terminate":
            self.calls.append("terminate")
            self._signs.append({"type": "asked", "reason": self._watch.ended_for})
            self._code = self._script.on_terminate
        elif action == "kill":
            self.calls.append("kill")
            self._code = -9

    def new_events(self) -> list[Event]:
        seen, self._seen = self._seen, []
        return seen

    def new_signs(self) -> list[Event]:
        signs, self._signs = self._signs, []
        return signs

    def end_now(self) -> None:
        self._told = True

    def close(self) -> None:
        self.calls.append("close")


class World:
    """Everything around a runner, played."""

    def __init__(
        self, tmp_path: Path, scripts: dict[str, list[Script]], config: Config | None = None
    ) -> None:
        self.clock = FakeClock()
        self.scripts = {key: list(queue) for key, queue in scripts.items()}
        self.attempts: list[tuple[str, int, FakeAttempt]] = []
        self.spawned_at: list[float] = []
        self.arguments: list[tuple[str, ...]] = []
        self.gpu = "cpu"
        self.left: dict[str, FakeAttempt] = {}  # attempts that outlived their orchestrator
        self.request: dict[str, Any] | None = None
        self.room: Room | None = None
        self.history = TimingHistory(tmp_path / "history.json", "tiny")
        forecasts = ForecastLog(tmp_path / "forecasts.json", "tiny")
        self.forecaster = Forecaster(self.history, forecasts, "", lambda key: None, self.clock.monotonic)
        self.config = config or Config()
        specs = tuple(
            StageSpec(key, f"scripts/{key}.py", f"Stage {key}", 1, kind_of(key), (), ()) for key in scripts
        )
        self.plan = Plan("blueprint", "full", specs)
        self.folder = tmp_path
        self.events: list[Event] = []
        self.recorder = Recorder(
            LiveState(),
            Journal(tmp_path / "events.jsonl"),
            StateFiles(tmp_path / "state.json", tmp_path / "heartbeat", self.clock.monotonic),
            self.clock,
            [self.forecaster, lambda state, event: self.events.append(event)],
        )
        self.recorder.record(
            "run_started",
            run_id="r1",
            pid=1,
            pipeline="blueprint",
            profile="tiny",
            mode="full",
            command="",
            phases=[{"id": 1, "title": "Data"}],
            stages=[
                {
                    "id": s.key,
                    "title": s.title,
                    "phase": 1,
                    "script": s.script,
                    "log": "",
                    "kind": s.kind,
                }
                for s in specs
            ],
        )

    @property
    def state(self) -> LiveState:
        return self.recorder.state

    def spawn(self, spec: StageSpec, attempt: int, limits: Limits, grace: Grace) -> FakeAttempt:
        self.spawned_at.append(self.clock.seconds)
        self.arguments.append(spec.args)
        queue = self.scripts[spec.key]
        fake = FakeAttempt(self.clock, queue.pop(0) if len(queue) > 1 else queue[0], limits, grace)
        self.attempts.append((spec.key, attempt, fake))
        return fake

    def run(self, policy: Policy | None = None) -> int:
        services = Services(
            clock=self.clock,
            spawn=self.spawn,
            attach=lambda spec, number: self.left.pop(spec.key, None),
            stop_request=lambda: self.request,
            hardware=lambda: None,
            forecast=self.forecaster.estimate,
            room=self.room,
            rungs=self.folder / "oom_rungs.json",
            gpu=lambda: self.gpu,
            limits=StallLimits(self.folder / "stall_limits.json", self.config, lambda: None),
        )
        return Runner(self.plan, self.config, self.recorder, services, policy).run()

    def stop(self, now: bool = False) -> None:
        self.request = {"requested_at": self.clock.now(), "by": "terminal", "now": now, "run_id": "r1"}

    def of_type(self, event_type: str) -> list[Event]:
        return [event for event in self.events if event["type"] == event_type]


def kind_of(key: str) -> str:
    """Stages of the tests are named after their kind: `training`, `exam-2`."""
    return key.partition("-")[0]


def pending(key: str, **fields: Any) -> StageState:
    return StageState(key, key, 1, "", "", kind_of(key), **fields)


class EndedGuard(GuardHandle):
    """Stands for a guard that ended before anybody could take hold of it; its records tell how."""

    def __init__(self) -> None:
        pass

    def wait(self, timeout_s: float) -> bool:
        return True
