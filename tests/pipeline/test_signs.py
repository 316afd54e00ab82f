"""What a guard notices reaches the page: phase and limit, slow, gaps; and words for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline_fakes import World

from nightforge.pipeline.evidence import Stacks, main_stack
from nightforge.pipeline.signs import alert_of, watch_of
from nightforge.pipeline.states import LiveState, Watch

LIMIT = {"type": "limit", "phase": "save", "warn_s": 300, "limit_s": 1800, "origin": "configured"}


def shown(world: World, *signs: dict[str, object]) -> Watch | None:
    for sign in signs:
        change = watch_of(sign)
        if change is not None:
            world.recorder.record("watched", stage="exam", **change)
    current = world.state.current
    return current.watch if current else None


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, {"exam": []})
    made.recorder.record("stage_started", stage="exam", attempt=1, max_attempts=3)
    return made


def tell(world: World, **event: object) -> LiveState:
    world.recorder.record("stage_event", stage="exam", event=event)
    return world.state


def test_the_watch_shows_phase_limit_and_origin(world: World) -> None:
    assert shown(world) is None
    found = shown(world, LIMIT)
    assert found is not None
    assert (found.phase, found.warn_s, found.limit_s, found.origin, found.slow) == (
        "save", 300, 1800, "configured", False,
    )  # fmt: skip


def test_slow_lasts_until_there_is_progress_and_a_heartbeat_is_none(world: World) -> None:
    tell(world, type="progress", done=3, total=9, unit="prompts")
    before = shown(world, LIMIT, {"type": "silent", "silent_s": 300})
    assert before is not None and before.slow
    world.clock.seconds += 7
    tell(world, type="message", text="still here")
    tell(world, type="progress", done=3, total=9, unit="prompts")
    assert shown(world) == before
    tell(world, type="progress", done=4, total=9, unit="prompts")
    after = shown(world)
    assert after is not None and not after.slow and after.quiet_since > before.quiet_since


def test_a_gap_restarts_the_silence_that_is_shown(world: World) -> None:
    before = shown(world, LIMIT)
    world.clock.seconds += 8 * 3600
    after = shown(world, {"type": "gap", "seconds": 28800})
    assert before is not None and after is not None and after.quiet_since > before.quiet_since


def test_a_changed_limit_keeps_the_silence(world: World) -> None:
    before = shown(world, LIMIT, {"type": "silent"})
    world.clock.seconds += 5
    after = shown(world, {**LIMIT, "limit_s": 9000, "origin": "5 times the longest of this attempt"})
    assert before is not None and after is not None
    assert (after.quiet_since, after.slow, after.limit_s) == (before.quiet_since, True, 9000)


def test_signs_of_a_stage_that_is_over_change_nothing(world: World) -> None:
    world.recorder.record("stage_ended", stage="exam", attempt=1, outcome="succeeded")
    assert shown(world, LIMIT) is None


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"type": "silent", "silent_s": 300.4, "limit_s": 900.0}, "ended and tried again after 900 s"),
        ({"type": "silent", "silent_s": 300.4, "limit_s": None}, "left alone"),
        ({"type": "asked", "reason": "stall", "equal": True}, "stood at the same place twice"),
        ({"type": "asked", "reason": "teardown", "equal": None}, "would not exit"),
        ({"type": "stacks"}, "exam.stacks.txt"),
        ({"type": "gap", "seconds": 28800}, "28800 s"),
    ],
)
def test_a_sign_has_words(sign: dict[str, object], words: str) -> None:
    told = alert_of("exam", sign)
    assert told is not None and words in told.detail


def test_the_second_look_at_the_stacks_is_no_second_alert() -> None:
    assert alert_of("exam", {"type": "stacks", "again": True}) is None
    assert alert_of("exam", {"type": "limit"}) is None


DUMP = """Thread 0x00007f01 (most recent call first):
  File "x.py", line {other} in beat

Thread 0x00007f02 [python] (most recent call first):
  File "x.py", line {main} in work
"""


def test_two_dumps_are_equal_when_the_main_thread_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "stacks.txt"
    path.write_text("of an earlier attempt")
    stacks = Stacks()
    assert not stacks.listens
    stacks.listen(str(path))

    def dump(other: int, main: int) -> None:
        stacks.ask()
        with path.open("a") as file:
            file.write(DUMP.format(other=other, main=main))
        stacks.read()

    dump(1, 7)
    assert (stacks.equal, stacks.again) == (None, False)
    dump(2, 7)
    assert (stacks.equal, stacks.again) == (True, True)
    stacks.ask()
    with path.open("a") as file:  # this time the main thread took the signal
        file.write(DUMP.format(other=2, main=7).replace("Thread 0x00007f02", "Current thread 0x00007f02"))
    stacks.read()
    assert stacks.equal is True
    stacks.forget()
    dump(3, 7)
    assert not stacks.again
    dump(3, 8)
    assert stacks.equal is False
    assert "beat" not in main_stack(DUMP)
