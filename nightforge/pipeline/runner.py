"""The loop that carries a plan out: one thread owns all state; what to do is decided in pure functions
beside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from nightforge.config import Config
from nightforge.core.clock import Clock, format_time, parse_time
from nightforge.core.errors import ExitCode, is_disk_full
from nightforge.pipeline.attempts import Attempt, Ended
from nightforge.pipeline.classes import policy_of
from nightforge.pipeline.contents import Contents, standing
from nightforge.pipeline.disk import Room, blame_disk, least_wait_s, wait_for_room
from nightforge.pipeline.eta import Estimate
from nightforge.pipeline.fold import FINISHED
from nightforge.pipeline.gatekeeper import Said
from nightforge.pipeline.ladder import RungMemory
from nightforge.pipeline.limits import StallLimits
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.recorder import Recorder
from nightforge.pipeline.recovery import Again, Recovery
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.retry import RESUME_COMMAND, WAITS_S, Ending, Verdict, judge, max_tries
from nightforge.pipeline.signs import alert_of, watch_of
from nightforge.pipeline.stall import Limits
from nightforge.pipeline.states import LiveState
from nightforge.pipeline.supervise import Grace

_TICK_S = 0.2
_ESTIMATE_S = 2.0


@dataclass(frozen=True)
class Services:
    """What the runner touches of the world; tests pass fakes."""

    clock: Clock
    spawn: Callable[[StageSpec, int, Limits, Grace], Attempt]
    attach: Callable[[StageSpec, int], Attempt | None]  # an attempt that outlived its orchestrator
    stop_request: Callable[[], dict[str, Any] | None]  # {"requested_at", "by", "now"}
    hardware: Callable[[], dict[str, Any] | None]
    forecast: Callable[[LiveState, str], Estimate]
    rungs: Path  # where the memory ladder's rungs are remembered
    gpu: Callable[[], str]  # the card's name, or cpu
    limits: StallLimits
    contents: Contents | None = None  # None: nothing is kept from earlier runs
    room: Room | None = None  # None: nobody looks after the disks
    gate: Callable[[StageSpec, Said], Verdict | None] = lambda spec, said: None  # says why not to start


@dataclass(frozen=True)
class Policy:
    """How patient the runner is."""

    waits_s: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: WAITS_S)
    grace: Grace = Grace()


class Runner:
    """Carries out one plan, from the state it is given to `run_ended`."""

    def __init__(
        self,
        plan: Plan,
        config: Config,
        recorder: Recorder,
        services: Services,
        policy: Policy | None = None,
    ) -> None:
        self._plan = plan
        self._config = config
        self._recorder = recorder
        self._services = services
        self._policy = policy or Policy()
        self._recovery = Recovery(
            config,
            services.clock,
            recorder.record,
            lambda: recorder.state,
            (RungMemory(services.rungs), services.gpu),
            self._policy.waits_s,
        )
        self._estimated_at = float("-inf")
        self._hardware: dict[str, Any] | None = None

    @property
    def state(self) -> LiveState:
        """Return the live state as it is now."""
        return self._recorder.state

    def run(self) -> int:
        """Run every stage that is not done yet; returns the exit code of the run."""
        self._recovery.begin_run()
        worked = False
        for spec in self._plan.stages:
            if self._stands(spec, worked):
                continue
            worked = True
            self._tick()
            if self.state.stop:
                return self._end("stopped", ExitCode.STOPPED)
            verdict = self._run_stage(spec)
            if verdict.outcome == "stopped":
                return self._end("stopped", ExitCode.STOPPED)
            if verdict.outcome == "failed":
                return self._end("failed", _exit_code(verdict))
        return self._end("succeeded", ExitCode.DONE)

    def _stands(self, spec: StageSpec, worked: bool) -> bool:
        """Tell whether a stage need not run: it is done in this run, or was in an earlier one, and nothing it
        depends on has changed since. `worked`: a stage before it has run since the start.
        """
        contents, stage = self._services.contents, self.state.stage(spec.key)
        done = stage.status in FINISHED
        if contents is None or stage.status == "running":
            return done
        look = standing(contents, self._plan, spec, done, worked)
        if done and not look.kept:
            self._recorder.record("stage_reopened", stage=spec.key, reason=look.why)
        elif not done and look.kept and look.record is not None:
            self._recorder.record(
                "stage_kept", stage=spec.key, run_id=look.record["run_id"], result=look.record["result"]
            )
        return look.kept

    def _run_stage(self, spec: StageSpec) -> Verdict:
        """Try a stage until it is done, final or stopped."""
        number, full = self.state.stage(spec.key).attempt, 0  # full: times in a row the disk had no room
        limit = number + max_tries(spec.kind, waits_s=self._policy.waits_s)
        self._recovery.begin_stage(spec)
        verdict = self._take_up(spec, number)
        if verdict is None:
            if not self._wait_for_room(spec, full):
                return Verdict("stopped", "stopped", "stopped while waiting for room on the disk")
            number += 1
            verdict = self._attempt(spec, number, limit)
        while True:
            full = full + 1 if verdict.kind == "disk_full" and self._services.room else 0
            follows = self._what_follows(spec, number, verdict, full)
            if isinstance(follows, Verdict):
                return follows
            number, limit = number + 1, follows.max_attempts
            self._schedule(spec, number, follows, verdict)
            if not (full or self._wait(follows.wait_s)) or not self._wait_for_room(spec, full):
                return Verdict("stopped", "stopped", "stopped while waiting for the next attempt")
            verdict = self._attempt(spec, number, limit)

    def _wait(self, seconds: float) -> bool:
        """Wait for a retry; False as soon as a stop is requested. # ops S3"""
        clock = self._services.clock
        end = clock.monotonic() + seconds
        while not self.state.stop and clock.monotonic() < end:
            clock.sleep(min(_TICK_S, max(0.0, end - clock.monotonic())))
            self._tick()
        return self.state.stop is None

    def _what_follows(self, spec: StageSpec, number: int, verdict: Verdict, full: int) -> Again | Verdict:
        """Decide about another attempt; a full disk uses up none. # ops Q3"""
        if full and self._services.room is not None:
            wait_s = least_wait_s(self._services.room, full)
            return Again(wait_s, self.state.stage(spec.key).max_attempts + 1, policy_of(verdict.kind).change)
        return self._recovery.after(spec, number, verdict)

    def _schedule(self, spec: StageSpec, number: int, follows: Again, verdict: Verdict) -> None:
        self._recorder.record(
            "retry_scheduled",
            stage=spec.key,
            attempt=number,
            max_attempts=follows.max_attempts,
            next_at=_later(self._services.clock.now(), follows.wait_s),
            words=policy_of(verdict.kind).words,
            cause=verdict.message,
            change=follows.change,
        )

    def _wait_for_room(self, spec: StageSpec, times: int) -> bool:
        return wait_for_room(
            self._services.room, spec, self._recorder, self._services.clock, self._tick, times
        )

    def _take_up(self, spec: StageSpec, number: int) -> Verdict | None:
        """Go on watching an attempt whose orchestrator is gone; None when there is none."""
        unseen = number > self.state.stage(spec.key).ended_attempt
        attempt = self._services.attach(spec, number) if unseen else None
        if attempt is None:
            return None
        self._recorder.record("stage_taken_up", stage=spec.key, attempt=number)
        self._recovery.begin_attempt(spec, taken_up=True)
        if self._services.room is not None:
            self._services.room.begin(self._services.clock.monotonic())
        return self._see_through(spec, number, attempt)

    def _attempt(self, spec: StageSpec, number: int, limit: int) -> Verdict:
        """Run a stage's process once, watch it to its end, and record how it ended."""
        barred = self._services.gate(spec, Said(self._recorder.record, self._goes_on))
        if barred is not None:
            return barred if barred.outcome == "stopped" else self._conclude(spec, number, barred, {}, "")
        again = self.state.stage(spec.key).status == "retrying"
        self._recorder.record(
            "stage_started", stage=spec.key, attempt=number, max_attempts=limit, again=again
        )
        self._recovery.begin_attempt(spec)
        if self._services.room is not None:
            self._services.room.begin(self._services.clock.monotonic())
        try:
            limits = self._services.limits.of(spec)
            if self._services.contents:
                self._services.contents.begin(spec, number)
            attempt = self._services.spawn(self._recovery.prepared(spec), number, limits, self._policy.grace)
        except OSError as error:
            return self._not_started(spec, number, error)
        return self._see_through(spec, number, attempt)

    def _not_started(self, spec: StageSpec, number: int, error: OSError) -> Verdict:
        words = f"{spec.script} could not be started: {error.strerror or error}"
        kind = "disk_full" if is_disk_full(error) else "start"
        return self._conclude(spec, number, Verdict("failed", kind, words), {}, "")

    def _see_through(self, spec: StageSpec, number: int, attempt: Attempt) -> Verdict:
        """Watch an attempt to its end and record how it ended."""
        last: dict[str, dict[str, Any]] = {}  # the newest done and error event
        try:
            ended = self._watch(spec, attempt, last)
        except OSError as error:
            return self._not_started(spec, number, error)
        finally:
            attempt.close()
        self._take(spec, attempt.new_events(), last)
        if ended.survivors:
            detail = f"pids {list(ended.survivors)}; reboot may help"
            self._alert(spec, "critical", "Processes could not be ended", detail)
        verdict = judge(
            Ending(
                exit_code=ended.exit_code,
                done="done" in last,
                error=last.get("error"),
                stopping=self.state.stop is not None,
                killed_for=ended.ended_for,
                host_out_of_memory=ended.host_out_of_memory,
                log_tail=ended.log_tail,
                survivors=bool(ended.survivors),
            )
        )
        verdict = blame_disk(self._services.room, self._recovery.judged(verdict), self._recorder)
        done = last.get("done", {})
        if verdict.outcome in FINISHED and self._services.contents:
            with contextlib.suppress(
                OSError
            ):  # a full disk costs the record, so the stage runs again next time
                self._services.contents.finish(spec, number, done.get("result"), done.get("sections"))
        if verdict.outcome == "succeeded":
            self._services.limits.learn(spec, ended.longest_s)
        return self._conclude(spec, number, verdict, done.get("result", {}), _note(verdict, last))

    def _watch(self, spec: StageSpec, attempt: Attempt, last: dict[str, dict[str, Any]]) -> Ended:
        """Follow a running attempt until its guard says how it ended."""
        told = False
        while True:
            ended = attempt.wait(_TICK_S)
            self._tick()
            self._take(spec, attempt.new_events(), last)
            for sign in attempt.new_signs():
                self._tell(spec, sign)
            if ended is not None:
                return ended
            if not told and (self._recovery.lost or (self.state.stop and self.state.stop.now)):
                told = self._end_now(spec, attempt)

    def _end_now(self, spec: StageSpec, attempt: Attempt) -> bool:
        """Tell the guard; False when there is no room for even that, so that it is tried again. # ops Q5"""
        try:
            attempt.end_now()
        except OSError as error:
            if self._services.room is None or not self._services.room.reserve.release():
                return False
            self._alert(spec, "warning", "The disk is full", f"the reserve was given up: {error}")
            return False
        return True

    def _tell(self, spec: StageSpec, sign: dict[str, Any]) -> None:
        """Show what the guard has noticed or done."""
        watch = watch_of(sign)
        if watch is not None:
            self._recorder.record("watched", stage=spec.key, **watch)
        alert = alert_of(spec.key, sign)
        if alert is not None:
            self._alert(spec, *alert)

    def _take(self, spec: StageSpec, events: list[dict[str, Any]], last: dict[str, dict[str, Any]]) -> None:
        """Record what the stage reported; of several progress events at once only the newest counts."""
        newest = max((i for i, event in enumerate(events) if event["type"] == "progress"), default=-1)
        for index, event in enumerate(events):
            if event["type"] in ("done", "error"):
                last[event["type"]] = event
            self._recovery.observe(spec, event)
            if event["type"] != "progress" or index == newest:
                self._recorder.record("stage_event", stage=spec.key, event=event)

    def _conclude(
        self, spec: StageSpec, number: int, verdict: Verdict, result: dict[str, Any], note: str
    ) -> Verdict:
        plain = {name: value for name, value in result.items() if isinstance(value, (str, int, float, bool))}
        self._recorder.record(
            "stage_ended",
            stage=spec.key,
            attempt=number,
            outcome=verdict.outcome,
            kind=verdict.kind,
            message=verdict.message,
            next_command=verdict.next_command,
            result=plain,
            note=note,
            **self._recovery.facts(spec),
        )
        return verdict

    def _tick(self) -> None:
        """What goes on all the time: stop requests, hardware, estimates, heartbeat, files."""
        self._look_for_stop()
        sample = self._services.hardware()
        if sample is not None and sample is not self._hardware:
            self._hardware = sample
            self._recorder.record("hardware", sample=sample)
        now_s = self._services.clock.monotonic()
        if now_s - self._estimated_at >= _ESTIMATE_S:
            self._estimated_at = now_s
            self._estimate()
        self._recorder.tick()
        self._tend_disk()

    def _tend_disk(self) -> None:
        if self._services.room is not None:
            self._services.room.tend(self._recorder, self._services.clock.monotonic())

    def _goes_on(self) -> bool:
        """Tick; False once a stop is requested."""
        self._tick()
        return self.state.stop is None

    def _look_for_stop(self) -> None:
        request = self._services.stop_request()
        if request is None:
            return
        standing, now = self.state.stop, bool(request.get("now"))
        if standing is None or (now and not standing.now):
            self._recorder.record(
                "stop_requested",
                requested_at=request.get("requested_at") or self._services.clock.now(),
                by=str(request.get("by", "terminal")),
                now=now,
            )

    def _estimate(self) -> None:
        found = self._services.forecast(self.state, self._services.clock.now())
        self._recorder.record(
            "estimated", stages=found.stages, eta=msgspec.to_builtins(found.eta) if found.eta else None
        )

    def _alert(self, spec: StageSpec, level: str, title: str, detail: str) -> None:
        self._recorder.record("alert", stage=spec.key, level=level, title=title, detail=detail)

    def _end(self, status: str, code: int) -> int:
        self._recorder.record(
            "run_ended",
            status=status,
            exit_code=int(code),
            version=_version(self.state),
            report=_report(self.state),
            next_command=None if status == "succeeded" else RESUME_COMMAND,
        )
        self._tend_disk()  # the last words are worth the reserve
        return int(code)


def _note(verdict: Verdict, last: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the error of a stage that failed while stopping; the run is stopped all the same. # ops S4"""
    error = last.get("error", {})
    failed = verdict.outcome == "stopped" and error.get("kind") != "stopped"
    return str(error.get("message", "")) if failed else ""


def _exit_code(verdict: Verdict) -> ExitCode:
    if verdict.kind in ("input", "config", "bad_data", "encoding"):
        return ExitCode.USAGE
    return ExitCode.TEMPORARY if verdict.kind in ("temporary", "disk_full") else ExitCode.FAILED


def _version(state: LiveState) -> str | None:
    """Return the adapter version the run trained or examined, as `v3`."""
    results = [stage.result for stage in state.stages if stage.result.get("version") is not None]
    if not results:
        return None
    text = str(results[0]["version"])
    return f"v{text}" if text.isdigit() else text


def _report(state: LiveState) -> str | None:
    reports = [
        stage.result["report"] for stage in state.stages if isinstance(stage.result.get("report"), str)
    ]
    return reports[-1] if reports else None


def _later(now: str, seconds: float) -> str:
    return format_time(parse_time(now) + timedelta(seconds=seconds))
