"""A run without room waits, says so, uses up no attempt, hears a stop, and goes on by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import FakeClock, Script, World

from nightforge.config import Config
from nightforge.config.schema import Disk
from nightforge.core.paths import Project
from nightforge.core.room import MB
from nightforge.pipeline import disk, status
from nightforge.pipeline import journal as journal_module
from nightforge.pipeline.disk import Room, least_wait_s
from nightforge.pipeline.registry import StageSpec

FULL = {"type": "error", "kind": "disk_full", "message": "no room for another checkpoint"}


class Device:
    """The free bytes of the one disk there is, as a function of time."""

    def __init__(self, clock: FakeClock, free_mb: Callable[[float], float]) -> None:
        self._clock, self._free_mb = clock, free_mb
        self.given_mb = 0.0

    def __call__(self, _: Path) -> int:
        return int((self._free_mb(self._clock.seconds) + self.given_mb) * MB)


def world_with(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripts: dict[str, list[Script]],
    free_mb: Callable[[float], float],
) -> World:
    world = World(tmp_path, scripts)
    config = Config(disk=Disk(reserve_mb=10, look_seconds=30))
    monkeypatch.setattr(disk, "free_bytes", Device(world.clock, free_mb))
    world.room = Room(Project(tmp_path), config, "r1")
    monkeypatch.setattr(world.room.reserve, "grow", lambda spare: True)
    return world


def full(after_s: float = 5.0) -> Script:
    return Script(75, after_s, [(after_s, FULL)])


def test_a_full_disk_uses_up_no_attempt_and_the_run_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free_mb(seconds: float) -> float:
        return 100.0 if seconds < 5 or seconds > 100 else 3.0

    scripts = {"data": [full(), Script(1), Script(1), Script.done()], "exam": [Script.done()]}
    world = world_with(tmp_path, monkeypatch, scripts, free_mb)
    assert world.run() == 0  # data may fail twice; the full disk did not count
    assert [number for key, number, _ in world.attempts if key == "data"] == [1, 2, 3, 4]
    assert world.spawned_at[1] == pytest.approx(125, abs=1)  # looked at 5, 35, 65, 95, 125
    told = world.of_type("waiting_started")
    assert told[0]["kind"] == "waiting_room" and "7.0 MB of room" in told[0]["words"]
    assert "(3.0 MB free, 10.0 MB needed)" in told[0]["words"]
    assert [event["title"] for event in world.of_type("alert")] == ["The disk is full"]  # once
    assert world.state.waiting is None and len(world.of_type("waiting_ended")) == 1


def test_it_waits_before_a_stage_is_started_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_with(
        tmp_path, monkeypatch, {"data": [Script.done()]}, lambda seconds: 100.0 if seconds > 40 else 9.0
    )
    assert world.run() == 0
    assert world.spawned_at == [pytest.approx(60, abs=1)]
    assert world.attempts[0][1] == 1


def test_what_is_waited_for_is_shown_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def free_mb(seconds: float) -> float:
        return 100.0 if seconds > 100 else 3.0

    world = world_with(tmp_path, monkeypatch, {"data": [Script.done()]}, free_mb)
    real = world.clock.sleep

    def sleep(seconds: float) -> None:
        import json

        seen.append(json.loads((tmp_path / "state.json").read_text()))
        real(seconds)

    monkeypatch.setattr(world.clock, "sleep", sleep)
    world.run()
    waiting = [state for state in seen if state["waiting"]]
    assert {state["waiting"]["stage"] for state in waiting} == {"data"}
    assert len({state["waiting"]["since"] for state in waiting}) == 1
    line = next(text for text in status.format_status(waiting[-1], None).splitlines() if "Waiting" in text)
    assert "MB of room on the disk of" in line and "3.0 MB free" in line


@pytest.mark.parametrize("first", ["before", "after"])
def test_a_stop_is_answered_at_once_while_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    def free_mb(seconds: float) -> float:
        if seconds > 45 and world.request is None:
            world.stop()
        return 100.0 if first == "after" and seconds < 5 else 1.0

    world = World(tmp_path, {})
    world = world_with(tmp_path, monkeypatch, {"data": [full()], "exam": [Script.done()]}, free_mb)
    real = world.clock.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        if world.clock.seconds > 45 and world.request is None:
            world.stop()

    monkeypatch.setattr(world.clock, "sleep", sleep)
    assert world.run() == 4
    assert world.clock.seconds < 46
    assert world.state.status == "stopped" and world.state.resumable and world.state.waiting is None


def test_a_disk_that_is_full_again_and_again_is_tried_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {"data": [*[full(1) for _ in range(5)], Script.done()]}
    world = world_with(tmp_path, monkeypatch, scripts, lambda _: 50.0)  # enough, as far as anybody can know
    assert world.run() == 0
    waits = [round(b - a - 1) for a, b in zip(world.spawned_at, world.spawned_at[1:], strict=False)]
    assert waits == [0, 30, 60, 120, 240]
    assert world.room is not None and least_wait_s(world.room, 50) == 600


def test_a_stage_that_could_not_even_say_why_met_the_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {"data": [Script(1, 5), Script.done()]}
    world = world_with(tmp_path, monkeypatch, scripts, lambda s: 0.2 if 4 < s < 60 else 50.0)
    assert world.run() == 0
    (ended, _) = world.of_type("stage_ended")
    assert ended["kind"] == "disk_full" and ended["message"].startswith("the disk is full; ended with")
    assert "30" not in {event["next_at"] for event in world.of_type("retry_scheduled")}


def test_wrong_input_stays_final_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"type": "error", "kind": "input", "message": "wrong"}
    world = world_with(
        tmp_path, monkeypatch, {"data": [Script(2, 5, [(4, error)])]}, lambda s: 0.2 if s > 1 else 50
    )
    assert world.run() == 2


def test_pruning_is_told_and_may_be_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_with(tmp_path, monkeypatch, {"data": [Script.done()]}, lambda _: 3.0)
    old = tmp_path / "logs" / "runs" / "20261101-000000-aaaa"
    old.mkdir(parents=True)
    (old / "04.log").write_bytes(bytes(2 * MB))
    device = disk.free_bytes

    def free(folder: Path) -> int:
        return device(folder) + (0 if (old / "04.log").exists() else 20 * MB)

    monkeypatch.setattr(disk, "free_bytes", free)
    assert world.run() == 0
    assert world.spawned_at == [pytest.approx(0, abs=1)]
    (alert,) = world.of_type("alert")
    assert alert["title"] == "Room was made" and "run 20261101-000000-aaaa" in alert["detail"]


def test_the_reserve_is_given_up_for_the_runs_own_files_and_grows_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = {"data": [Script.done(60)], "exam": [Script.done(90)]}
    world = world_with(tmp_path, monkeypatch, scripts, lambda _: 500.0)
    monkeypatch.undo()
    monkeypatch.setattr("nightforge.core.room.free_bytes", lambda _: 500 * MB)
    assert world.room is not None
    held: dict[int, int] = {}

    def refuse(path: Path, data: bytes, durable: bool = True) -> None:
        held[round(world.clock.seconds)] = world.room.reserve.held if world.room else 0
        if 20 < world.clock.seconds < 40 and world.room and world.room.reserve.held:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(journal_module, "write_bytes", refuse)
    assert world.run() == 0
    seen = [held[min(held, key=lambda moment: abs(moment - wanted))] for wanted in (15, 25, 100)]
    assert seen == [10 * MB, 0, 10 * MB]
    assert [e["title"] for e in world.of_type("alert")] == [
        "The disk refuses writes",
        "The reserve was given up",
    ]


def test_missing_inodes_are_missing_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_with(tmp_path, monkeypatch, {"data": [Script(1, 2), Script.done()]}, lambda _: 500.0)
    monkeypatch.setattr(disk, "free_inodes", lambda _: 3 if 1 < world.clock.seconds < 20 else 1000)
    assert world.run() == 0
    assert world.of_type("stage_ended")[0]["kind"] == "disk_full"
    assert "(3 more, 64 needed)" in world.of_type("waiting_started")[0]["words"]
    assert world.spawned_at[1] == pytest.approx(32, abs=1)


def test_training_asks_for_its_next_checkpoint_and_the_margin(tmp_path: Path) -> None:
    config = Config(disk=Disk(reserve_mb=10))
    room = Room(Project(tmp_path), config, "r1")
    training = StageSpec("04", "scripts/04_train.py", "", 1, "training", (), ())
    other = StageSpec("12", "scripts/12_exam.py", "", 1, "exam", (), ())
    assert room.needed(other) == 10 * MB
    assert room.needed(training) > 11 * MB  # predicted
    saved = tmp_path / "models" / ".work" / "d-c" / "checkpoint-10"
    saved.mkdir(parents=True)
    (saved / "optimizer.pt").write_bytes(bytes(100 * MB))
    assert room.needed(training) == 130 * MB
    shortage = room.shortage(training)
    assert shortage is None or shortage.needed == 130 * MB
