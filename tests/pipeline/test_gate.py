"""The GPU gate: free cards cost nothing, our leftovers are ended, strangers are named and left alone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import FakeClock

from nightforge.config.schema import GpuGate
from nightforge.core.clock import SystemClock
from nightforge.core.leftovers import Tagged
from nightforge.core.paths import Project
from nightforge.pipeline.gate import Card, Decision, Holder, decide, first_visible, lower_baseline
from nightforge.pipeline.gatekeeper import GPU_HELD, Gatekeeper, Gpus, Needs, Said, open_gate
from nightforge.pipeline.gpu_processes import Look, parse
from nightforge.pipeline.registry import BLUEPRINT, StageSpec

SETTINGS = (60.0, 512, True)
STAGE = StageSpec("04", "scripts/04_x.py", "Training", 4, "training", (), (), gpu=True)


def card(used_mb: int | None, *holders: Holder, total_mb: int = 96_000) -> Card:
    return Card(0, "GPU-a", used_mb, total_mb, holders)


@pytest.mark.parametrize(
    ("name", "used", "leftovers", "waited", "need", "share", "action"),
    [
        ("at the baseline", 400, 0, 0, None, True, "open"),
        ("just inside the margin", 912, 0, 0, None, True, "open"),
        ("just outside it", 913, 0, 0, None, True, "poll"),
        ("unknown memory", None, 0, 0, None, True, "open"),
        ("unknown memory, but ours lives", None, 1, 0, None, True, "poll"),
        ("memory free, but ours lives", 400, 1, 59, None, True, "poll"),
        ("ours at the limit", 400, 1, 60, None, True, "reap"),
        ("ours and a full card", 90_000, 1, 60, 1_000, True, "reap"),
        ("a stranger, need not known", 90_000, 0, 60, None, True, "wait"),
        ("a stranger with room beside", 8_000, 0, 0, 88_000, True, "open"),
        ("a stranger with a little too little room", 8_001, 0, 60, 88_000, True, "wait"),
        ("a stranger with room, but not to be shared", 8_000, 0, 60, 20_000, False, "wait"),
    ],
)
def test_the_gate_decides(
    name: str, used: Any, leftovers: int, waited: float, need: Any, share: bool, action: str
) -> None:
    found = decide(card(used), 400, leftovers, waited, need, (60.0, 512, share))
    assert found.action == action, name


def test_going_on_beside_a_stranger_is_said_and_an_idle_card_is_not_called_shared() -> None:
    assert decide(card(8_000), 400, 0, 0, 10, SETTINGS) == Decision("open", beside=True)
    assert decide(card(400), 400, 0, 0, 10, SETTINGS) == Decision("open")


def test_the_baseline_is_the_lowest_without_what_processes_hold() -> None:
    assert lower_baseline(None, card(70_400, Holder(12, 70_000))) == 400
    assert lower_baseline(400, card(900)) == 400
    assert lower_baseline(400, card(380)) == 380
    assert lower_baseline(None, card(900, Holder(12, None))) == 900
    assert lower_baseline(400, card(None)) == 400


@pytest.mark.parametrize(
    ("mask", "uuid"),
    [
        (None, "GPU-a"),
        ("1", "GPU-b"),
        ("1,0", "GPU-b"),
        ("GPU-b", "GPU-b"),
        ("GPU-", "GPU-a"),
        ("7", None),
        ("MIG-a", None),
    ],
)
def test_the_card_a_stage_uses_is_the_first_it_may_see(mask: str | None, uuid: str | None) -> None:
    cards = (Card(0, "GPU-a", 0, 1), Card(1, "GPU-b", 0, 1))
    found = first_visible(cards, mask)
    assert (found.uuid if found else None) == uuid


def test_answers_are_read_with_what_a_card_does_not_tell() -> None:
    look = parse("0, GPU-a, 400, 96000\n1, GPU-b, [N/A], [N/A]\n", "GPU-b, 12, [N/A]\nGPU-a, 13, 70\n")
    assert look.cards == (
        Card(0, "GPU-a", 400, 96000, (Holder(13, 70),)),
        Card(1, "GPU-b", None, None, (Holder(12, None),)),
    )
    for garbage in ("what?", "0, GPU-a, many, 1", "\x00\xff,,,", "<html>, a, b, c"):
        assert "cannot be read" in parse(garbage, "").trouble
    assert "cannot be read" in parse("", "GPU-a, x, 1").trouble


def test_without_a_driver_the_gate_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    project = Project(tmp_path)
    gate = open_gate(project, GpuGate(), {}, Needs(project, tmp_path), SystemClock())
    said = Said(lambda *_, **__: pytest.fail("nothing to say"), lambda: True)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        assert gate(STAGE, said) is None
        took.append(time.perf_counter() - began)
    assert min(took) < 0.001
    assert not project.gpu_baselines.exists()


def test_exactly_the_stages_that_compute_pass_the_gate() -> None:
    assert {stage.key for stage in BLUEPRINT if stage.gpu} == {"00", "04", "12", "09"}


class Machine:
    """A GPU that plays a list of looks, the last one for ever."""

    def __init__(self, tmp_path: Path, looks: list[Look], **settings: Any) -> None:
        self.clock = FakeClock()
        self.looks = looks
        self.left: list[Tagged] = []
        self.killed: list[Tagged] = []
        self.dies = True
        self.need: int | None = None
        self.stop_at = float("inf")
        self.events: list[dict[str, Any]] = []
        gpus = Gpus(
            ask=lambda: self,
            leftovers=lambda: list(self.left),
            end=self.kill,
            lives=lambda process: process in self.left,
            name=lambda holder: f"python (pid {holder.pid}, alice) with {holder.used_mb:,} MB",
            need_mb=lambda spec: self.need,
        )
        self.baselines = tmp_path / "gpu_baselines.json"
        self.gate = Gatekeeper(GpuGate(**settings), None, self.baselines, gpus, self.clock)

    def answer(self) -> Look:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def end(self) -> None:
        pass

    def kill(self, process: Tagged) -> None:
        self.killed.append(process)
        if self.dies:
            self.left.remove(process)

    def run(self, stage: StageSpec = STAGE) -> Any:
        return self.gate(stage, Said(self.record, lambda: self.clock.seconds < self.stop_at))

    def record(self, event_type: str, /, **fields: Any) -> None:
        self.events.append({"type": event_type, **fields})

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == event_type]


IDLE = Look((card(400),))
HELD = Look((card(70_400, Holder(12, 70_000)),))


def test_a_free_card_opens_the_gate_at_once_and_says_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE])
    assert machine.run() is None
    assert (machine.clock.seconds, machine.events) == (0.0, [])
    assert json.loads(machine.baselines.read_text())["cards"] == {"GPU-a": 400}


def test_memory_that_is_slow_to_come_back_is_waited_for(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE, Look((card(9_000),)), Look((card(2_000),)), Look((card(500),))])
    assert machine.run() is None
    assert machine.run() is None
    assert machine.clock.seconds == pytest.approx(4.0, abs=0.3)
    assert [event["type"] for event in machine.events] == ["waiting_started", "waiting_ended"]
    assert machine.events[0]["words"] == "memory of GPU 0 to come back, 9,000 MB are in use"


def test_a_stranger_is_named_once_waited_for_and_never_touched(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE, *[HELD] * 1800, IDLE])
    assert machine.run() is None
    assert machine.run() is None
    assert machine.clock.seconds == pytest.approx(3600, rel=0.06)
    alerts = machine.of_type("alert")
    assert len(alerts) == 1 and alerts[0]["title"] == GPU_HELD
    assert "GPU 0, held by python (pid 12, alice) with 70,000 MB" in alerts[0]["detail"]
    assert len(machine.of_type("waiting_started")) < 70 and machine.killed == []


def test_a_stranger_who_was_there_first_is_waited_for_as_well(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [HELD, HELD, IDLE])
    assert machine.run() is None
    assert machine.clock.seconds == pytest.approx(4.0, abs=0.3)


def test_a_stop_ends_the_wait_at_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [HELD])
    machine.stop_at = 100.05
    verdict = machine.run()
    assert verdict.outcome == "stopped" and machine.clock.seconds < 100.3
    assert machine.events[-1]["type"] == "waiting_ended"


def test_with_room_beside_a_stranger_the_stage_goes_on_and_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Look((card(8_400, Holder(12, 8_000)),))])
    machine.need = 80_000
    assert machine.run() is None and machine.run() is None
    assert machine.clock.seconds == 0.0
    assert [event["title"] for event in machine.events] == ["GPU shared"]  # once, not once per attempt


LEFT = Tagged(77, 123, "abc-04-1", "python scripts/04.py")


def test_our_leftover_is_ended_after_the_limit_with_its_evidence(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE])
    machine.left = [LEFT]
    assert machine.run() is None
    assert machine.killed == [LEFT]
    assert 60 <= machine.clock.seconds < 65
    detail = machine.of_type("alert")[0]["detail"]
    assert all(word in detail for word in ("pid 77", "start time 123", "scripts/04.py", "abc-04-1"))


def test_a_leftover_that_goes_by_itself_is_not_killed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE])
    machine.left = [LEFT]
    machine.gate._gpus = machine.gate._gpus._replace(
        leftovers=lambda: [LEFT] if machine.clock.seconds < 30 else []
    )
    assert machine.run() is None
    assert machine.killed == [] and 30 <= machine.clock.seconds < 33


def test_a_leftover_that_survives_its_kill_ends_the_run_with_a_word_about_rebooting(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE])
    machine.left, machine.dies = [LEFT], False
    verdict = machine.run()
    assert (verdict.outcome, verdict.kind) == ("failed", "device_wedged")
    assert "reboot" in verdict.message and machine.killed == [LEFT]
    assert 120 <= machine.clock.seconds < 125


def test_a_driver_that_cannot_be_asked_opens_the_gate_with_one_alert(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [Look(trouble="nvidia-smi gave no answer within 5 s")])
    assert machine.run() is None and machine.run() is None
    assert [event["title"] for event in machine.events] == ["GPU cannot be asked"]


def test_an_unreadable_baseline_is_kept_aside(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [IDLE])
    machine.baselines.write_text("{torn")
    assert machine.run() is None
    (aside,) = tmp_path.glob("gpu_baselines.json.broken-*")
    assert aside.read_text() == "{torn"


def test_a_stage_without_need_of_a_gpu_is_not_held_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [HELD])
    assert machine.run(STAGE._replace(gpu=False)) is None
    assert machine.clock.seconds == 0.0
