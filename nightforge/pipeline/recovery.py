"""What follows a failed attempt: class policy, breaker and memory ladder brought together for one run.

The runner asks; nothing here starts or ends a process. # ops R4, R6, B1-B4, O1-O8, C9
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from nightforge.config import Config
from nightforge.core.clock import Clock
from nightforge.pipeline.breaker import ResumeProof, Try, tripped
from nightforge.pipeline.classes import policy_of
from nightforge.pipeline.ladder import (
    CPU,
    OUT_OF_MEMORY,
    Place,
    RungMemory,
    Step,
    end_words,
    overrides,
    rungs_left,
    step_down,
)
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.retry import RESUME_COMMAND, Retry, Verdict, retry_decision, waits_of
from nightforge.pipeline.states import LiveState

Record = Callable[..., None]
_WITH_LADDER = frozenset({"training", "eval", "exam"})


@dataclass(frozen=True)
class Again:
    """Another attempt: after `wait_s` seconds, of `max_attempts` in all; `change` says what is different."""

    wait_s: float
    max_attempts: int
    change: str


class Recovery:
    """The run's memory of what failed, and what it makes of it.

    `record` is the recorder's; `state` tells the live state; `rungs` remembers the memory ladder; `gpu` names
    the card, or `cpu`.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        record: Record,
        state: Callable[[], LiveState],
        rungs: tuple[RungMemory, Callable[[], str]],
        waits_s: Mapping[str, tuple[float, ...]],
    ) -> None:
        self._config = config
        self._clock = clock
        self._record = record
        self._state = state
        self._rungs, self._gpu = rungs
        self._waits_s = waits_s
        self._tries: list[Try] = []
        self._classes: Counter[str] = Counter()
        self._ladder = config.ladder
        self._proof = ResumeProof(None)
        self._began_s = 0.0
        self._before: float | None = None

    def begin_run(self) -> None:
        """Say that the breaker counts from zero, where a run with failures is started again. # ops B4"""
        if self._state().errors:
            words = "the run was resumed by hand; attempts and the breaker count from zero"
            self._record("alert", level="info", title="Attempts count afresh", detail=words)

    def begin_stage(self, spec: StageSpec) -> None:
        """Start counting for a stage; its remembered rung is taken and told."""
        self._classes.clear()
        self._ladder = self._config.ladder
        if not _has_ladder(spec):
            return
        self._ladder, remembered = self._rungs.recall(self._config, self._place(spec))
        if remembered is not None:
            used = ", ".join(text.removeprefix("ladder.") for text in overrides(self._ladder)[1::2])
            reason = f"ran out of memory on {remembered.get('at')}; remembered in logs/oom_rungs.json"
            self._tell(spec, {"setting": "memory settings", "old": "as configured", "new": used}, reason)

    def begin_attempt(self, spec: StageSpec, taken_up: bool = False) -> None:
        """Start measuring an attempt. The known mark of one that is `taken_up` again may be its own: where it
        began is what its events say.
        """
        self._began_s = self._clock.monotonic()
        self._before = None if taken_up else self._mark(spec)
        self._proof = ResumeProof(self._before)

    def prepared(self, spec: StageSpec) -> StageSpec:
        """Return the stage with the arguments that put it on its rung."""
        return spec._replace(args=spec.args + overrides(self._ladder))

    def observe(self, spec: StageSpec, event: dict[str, Any]) -> None:
        """Take in what the stage reports about durable marks and progress."""
        lost, fell = self._proof.lost, self._proof.fell_to
        self._proof.observe(event)
        if self._before is None:
            self._before = self._proof.began_at
        if self._proof.lost and not lost:
            self._record("resume_lost", stage=spec.key, detail=self._proof.lost)
        if self._proof.fell_to is not None and fell is None:
            words = f"{self._before:g} had been saved, but this attempt goes on from {self._proof.fell_to:g}"
            self._record("alert", stage=spec.key, level="critical", title="Work was lost", detail=words)

    @property
    def lost(self) -> bool:
        """Tell whether the running attempt has repeated work it said to have resumed."""
        return self._proof.lost is not None

    def judged(self, verdict: Verdict) -> Verdict:
        """Return the verdict as it stands after the proof of resume."""
        if self._proof.lost is None or verdict.outcome != "failed":
            return verdict
        words = f"{self._proof.lost}; {policy_of('resume_lost').advice}"
        return Verdict("failed", "resume_lost", words, RESUME_COMMAND)

    def facts(self, spec: StageSpec) -> dict[str, Any]:
        """Return what a failed attempt's record says besides its class."""
        return {
            "seconds": round(self._clock.monotonic() - self._began_s, 1),
            "mark_before": self._before,
            "mark_after": None if self._proof.unreadable else self._mark(spec),
        }

    def after(self, spec: StageSpec, number: int, verdict: Verdict) -> Again | Verdict:
        """Decide what follows attempt `number`: another one, or the end with the verdict to end with."""
        if verdict.outcome != "failed":
            return verdict
        self._classes[verdict.kind] += 1
        ladders = (
            _has_ladder(spec)
            and verdict.kind in OUT_OF_MEMORY
            and (verdict.kind != "oom_host" or self._proof.reached)
        )
        now = replace(self._config, ladder=self._ladder)
        step = step_down(now, self._place(spec), verdict.kind) if ladders else None
        self._note(spec, number, verdict, adapted=step is not None)
        why = tripped(self._tries, self._clock.monotonic())
        if why and policy_of(verdict.kind).waits_s != ():  # a class that is final says more than the breaker
            return self._give_up(spec, number, verdict._replace(kind="no_progress", message=why))
        if step is not None:
            self._take(spec, step, verdict)
            left = rungs_left(replace(self._config, ladder=step.ladder), self._place(spec), verdict.kind)
            wait_s = waits_of(spec.kind, verdict.kind, self._waits_s)[0]
            return Again(wait_s, number + 1 + left, f"{step.setting} {step.old} to {step.new}")
        if verdict.kind in ("oom_train", "oom_eval") and _has_ladder(spec):
            words = end_words(now, self._place(spec), verdict.kind)
            return self._give_up(spec, number, verdict._replace(message=words))
        return self._by_class(spec, number, verdict)

    def _by_class(self, spec: StageSpec, number: int, verdict: Verdict) -> Again | Verdict:
        tries = self._classes[verdict.kind]
        seed = f"{self._state().run_id}:{spec.key}:{number}"
        decision = retry_decision(spec.kind, verdict, tries, self._waits_s, seed)
        if not isinstance(decision, Retry):
            return verdict
        left = len(waits_of(spec.kind, verdict.kind, self._waits_s)) - tries
        return Again(decision.wait_s, number + 1 + left, policy_of(verdict.kind).change)

    def _note(self, spec: StageSpec, number: int, verdict: Verdict, adapted: bool) -> None:
        facts = self.facts(spec)
        self._tries.append(
            Try(
                stage=spec.key,
                attempt=number,
                kind=verdict.kind,
                seconds=facts["seconds"],
                ended_s=self._clock.monotonic(),
                before=self._before,
                after=facts["mark_after"],
                unreadable=self._proof.unreadable,
                adapted=adapted,
            )
        )

    def _take(self, spec: StageSpec, step: Step, verdict: Verdict) -> None:
        self._ladder = step.ladder
        self._tell(spec, {"setting": step.setting, "old": step.old, "new": step.new}, verdict.message)
        try:
            self._rungs.remember(self._config, self._place(spec), step, self._clock.now())
        except OSError as error:  # a full disk costs the memory of the rung, not the run
            detail = f"logs/oom_rungs.json can't be written: {error.strerror or error}"
            self._record("alert", stage=spec.key, level="warning", title="Rung not kept", detail=detail)

    def _tell(self, spec: StageSpec, change: Mapping[str, Any], reason: str) -> None:
        named = {name: str(change.get(name, "")) for name in ("setting", "old", "new")}
        shown = {(c.stage, c.setting, c.old, c.new) for c in self._state().recoveries}
        if (spec.key, *named.values()) in shown:
            return  # this run made or told it before it was resumed
        self._record("recovery", stage=spec.key, reason=reason, **named)

    def _give_up(self, spec: StageSpec, number: int, verdict: Verdict) -> Verdict:
        verdict = verdict._replace(next_command=verdict.next_command or RESUME_COMMAND)
        self._record(
            "gave_up",
            stage=spec.key,
            attempt=number,
            kind=verdict.kind,
            message=verdict.message,
            next_command=verdict.next_command,
        )
        return verdict

    def _mark(self, spec: StageSpec) -> float | None:
        mark = self._state().stage(spec.key).mark
        return None if mark is None else mark.value

    def _place(self, spec: StageSpec) -> Place:
        return Place(spec.key, spec.kind, self._gpu() if _has_ladder(spec) else CPU)


def _has_ladder(spec: StageSpec) -> bool:
    """Tell whether the memory ladder, which is about the language model, can help a stage."""
    return spec.language_model and spec.kind in _WITH_LADDER
