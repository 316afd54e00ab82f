"""Forecasts of played runs: close, honest about their range, indifferent to sleep, learned from success."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from statistics import fmean, median
from typing import Any, cast

import msgspec
import pytest
from played_runs import PLAN, Machine, Player, Timed, made_run, run_started

from nightforge.config import Config
from nightforge.config.schema import Dashboard, Training
from nightforge.core.clock import parse_time
from nightforge.pipeline.contents import Contents, Look
from nightforge.pipeline.eta import Estimate
from nightforge.pipeline.forecast import bytes_of, judge_forecasts, kept_stages, setting_of
from nightforge.pipeline.history import FORECASTS_KEPT, KEPT, Forecast, ForecastLog, TimingHistory
from nightforge.pipeline.pace import Part, Took
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.states import LiveState, Quality

WARM_UP = 3  # runs before forecasts are judged


def play_nights(folder: Path, seed: int, runs: int, machine: Machine) -> tuple[list[float], list[bool]]:
    """Play runs of varying size; returns errors after a tenth of a run, and whether the ends were inside."""
    player, sizes = Player(folder), random.Random(seed)
    player.grows = {"data", "check", "training"}
    errors: list[float] = []
    inside: list[bool] = []
    for number in range(runs):
        size = sizes.uniform(0.8, 1.25)
        player.work = int(1e6 * size)
        run = made_run(1000 * seed + number, machine, size)
        whole = run[-1][0]

        def look(at: float, found: Estimate, state: LiveState) -> None:
            if number < WARM_UP:  # noqa: B023 - called within this turn
                return
            assert found.eta is not None
            left = whole - at  # noqa: B023
            low, high = found.eta.remaining_s
            assert 0 < low <= found.eta.middle_s <= high
            inside.append(low <= left <= high)
            if at >= 0.1 * whole:  # noqa: B023
                errors.append(abs(found.eta.middle_s - left) / left)

        player.play(run, [whole * part / 20 for part in range(1, 20)], look)
    return errors, inside


def test_on_a_steady_machine_errors_are_small_and_four_fifths_of_the_ends_inside(tmp_path: Path) -> None:
    errors, inside = play_nights(tmp_path, seed=5, runs=24, machine=Machine())
    assert median(errors) <= 0.15
    assert 0.7 <= sum(inside) / len(inside) <= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "machine", [Machine(), Machine(0.01, 0.01, 0.05), Machine(0.06, 0.08, 0.3)], ids=["usual", "very", "less"]
)
def test_steady_machines_of_many_seeds(machine: Machine, seed: int, tmp_path: Path) -> None:
    errors, inside = play_nights(tmp_path, seed, 40, machine)
    print(f"median error {median(errors):.1%}, inside {sum(inside) / len(inside):.1%} of {len(inside)}")
    assert median(errors) <= 0.15
    assert 0.7 <= sum(inside) / len(inside) <= 0.9


def test_a_machine_that_is_much_slower_tonight_is_believed_after_a_few_stages(tmp_path: Path) -> None:
    player = Player(tmp_path)
    for seed in range(4):
        player.play(made_run(seed), [])
    slow = [(1.6 * second, event) for second, event in made_run(9)]
    whole, seen = slow[-1][0], []
    player.play(
        slow, [0.02 * whole, 0.5 * whole], lambda at, found, _: seen.append(found.eta.middle_s / (whole - at))
    )
    assert seen[0] < 0.75 and 0.85 < seen[1] < 1.15


def test_eight_hours_asleep_change_the_time_of_day_and_not_what_is_left(tmp_path: Path) -> None:
    player = Player(tmp_path)
    for seed in range(3):
        player.play(made_run(seed), [])
    run = made_run(7)
    at = 0.5 * run[-1][0]
    seen: dict[str, Any] = {}
    player.play(run, [at - 1.0, at], lambda second, found, _: seen.setdefault("awake", found.eta))
    slept = [(second + (28800 if second >= at else 0), event) for second, event in run]
    player = copy_of(player, tmp_path / "again")
    night = (at, at + 28800)
    player.play(slept, [at + 28800], lambda second, found, _: seen.setdefault("slept", found.eta), night)
    awake, after = seen["awake"], seen["slept"]
    assert after.middle_s == pytest.approx(awake.middle_s, abs=8)
    later = (parse_time(after.done_at[0]) - parse_time(awake.done_at[0])).total_seconds()
    assert later == pytest.approx(28800, abs=20)
    took = TimingHistory(tmp_path / "again" / "history.json", "tiny").stages["training"]
    assert took[-1].seconds < 400  # history knows nothing of the night


def copy_of(player: Player, folder: Path) -> Player:
    """A player with the history of another before its last run, at the same moment."""
    folder.mkdir()
    other = Player(folder)
    data = json.loads((player.folder / "history.json").read_text())
    for stages in data["profiles"]["tiny"]["stages"].values():
        stages.pop()
    (folder / "history.json").write_text(json.dumps(data))
    other.seconds = player.seconds - 60 - made_run(7)[-1][0]
    return other


def stage_events(key: str, began: float, ended: float, outcome: str, attempt: int = 1) -> list[Timed]:
    start = {"type": "stage_started", "stage": key, "attempt": attempt, "max_attempts": 3}
    end = {"type": "stage_ended", "stage": key, "attempt": attempt, "outcome": outcome}
    return [(began, start), (ended, end)]


def ended(at: float, status: str = "succeeded") -> Timed:
    return at, {"type": "run_ended", "status": status, "exit_code": 0}


def test_waits_failures_and_retries_stay_out_of_history_and_make_a_share_of_their_own(tmp_path: Path) -> None:
    player = Player(tmp_path)
    wait = {"type": "waiting_started", "stage": "a", "kind": "waiting_gpu", "words": "GPU 0"}
    retry = {"type": "retry_scheduled", "stage": "b", "attempt": 2, "max_attempts": 3, "next_at": "x"}
    run: list[Timed] = [
        (0.0, run_started(["a", "b", "c"])),
        (1.0, wait),
        (500.0, {"type": "waiting_ended", "stage": "a", "kind": "waiting_gpu"}),
        *stage_events("a", 501, 600, "succeeded"),
        *stage_events("b", 600, 620, "failed"),
        (620.0, retry),
        *stage_events("b", 650, 750, "succeeded", attempt=2),
        *stage_events("c", 750, 850, "succeeded"),
        ended(850.0),
    ]
    player.play(run, [])
    history = TimingHistory(tmp_path / "history.json", "tiny")
    assert {key: [round(took.seconds) for took in entries] for key, entries in history.stages.items()} == {
        "a": [99],
        "b": [100],
        "c": [100],
    }
    assert history.retry_share == pytest.approx(50 / 299, abs=0.01)
    shown: list[Any] = []
    player.play(
        [(0.0, run_started(["a", "b", "c"])), ended(9.0)], [5.0], lambda _, found, __: shown.append(found.eta)
    )
    assert shown[0].retries_s == pytest.approx(299 * 50 / 299, rel=0.1)
    assert shown[0].middle_s == pytest.approx(299, rel=0.05)


def test_a_pause_within_a_stage_is_left_out_too(tmp_path: Path) -> None:
    player = Player(tmp_path)
    pause = {"type": "waiting_started", "stage": "a", "kind": "waiting_disk", "words": "room"}
    run: list[Timed] = [
        (0.0, run_started(["a"])),
        *stage_events("a", 0, 1000, "succeeded"),
        (100.0, pause),
        (900.0, {"type": "waiting_ended", "stage": "a", "kind": "waiting_disk"}),
        ended(1000.0),
    ]
    player.play(sorted(run, key=lambda timed: timed[0]), [])
    assert TimingHistory(tmp_path / "history.json", "tiny").stages["a"][0].seconds == pytest.approx(
        200, abs=3
    )


def test_forecasts_are_kept_with_their_outcome_only_for_runs_that_succeed(tmp_path: Path) -> None:
    player = Player(tmp_path)
    player.play(made_run(1), [])
    run = made_run(2)
    looks = [second for second in range(0, int(run[-1][0]), 2)]
    stopped = [*run[:-1], (run[-1][0], {"type": "run_ended", "status": "stopped", "exit_code": 4})]
    player.play(stopped, list(map(float, looks)))
    assert not (tmp_path / "forecasts.json").exists()
    player.play(run, list(map(float, looks)))
    known = ForecastLog(tmp_path / "forecasts.json", "tiny").known
    assert len(known) == 10
    for one in known:
        assert one.actual_s == pytest.approx(run[-1][0] - one.lived_s, abs=1.0)
    seen: list[Any] = []
    player.play(run, [5.0], lambda _, found, __: seen.append(found.eta.quality))
    assert seen[0].count == 10 and 0 <= seen[0].inside <= 10 and seen[0].median_error < 0.3


def one(actual_s: float, middle_s: float = 100.0, spread: float = 0.1, widen: float = 1.0) -> Forecast:
    wide = math.exp(1.2816 * spread * widen)
    return Forecast("r", 0.0, middle_s / wide, middle_s, middle_s * wide, widen, actual_s)


def test_ranges_that_were_too_narrow_are_widened_and_too_wide_ones_narrowed() -> None:
    assert judge_forecasts([]) == (None, 1.0)
    chance = random.Random(3)
    for true, widened in ((0.1, 1.0), (0.2, 1.78), (0.05, 0.6)):
        for shown in (1.0, widened):  # settled once it is used, not driven on and on
            widen = fmean(
                judge_forecasts(
                    [one(100 * math.exp(chance.gauss(0, true)), widen=shown) for _ in range(100)]
                )[1]
                for _ in range(20)
            )
            assert widen == pytest.approx(widened, abs=0.1), true
    assert judge_forecasts([one(112.0), one(112.0), one(300.0)])[0] == Quality(3, 2, 0.107)


def test_the_files_are_capped(tmp_path: Path) -> None:
    history = TimingHistory(tmp_path / "h.json", "tiny")
    for second in range(KEPT + 3):
        history.add("a", Took((Part("", float(second)),)))
        history.add_losses(1.0, 10.0)
    again = TimingHistory(tmp_path / "h.json", "tiny")
    assert [took.seconds for took in again.stages["a"]] == [float(second) for second in range(3, KEPT + 3)]
    assert again.retry_share == pytest.approx(0.1)
    assert TimingHistory(tmp_path / "h.json", "smol").stages == {}
    log = ForecastLog(tmp_path / "f.json", "tiny")
    for _ in range(30):
        log.add([one(90.0)] * 10)
    assert len(ForecastLog(tmp_path / "f.json", "tiny").known) == FORECASTS_KEPT
    assert (tmp_path / "f.json").stat().st_size < 64_000


def test_a_history_of_the_first_format_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text(json.dumps({"schema_version": 1, "profiles": {"tiny": {"03": [7.5, 8.5]}}}))
    history = TimingHistory(path, "tiny")
    assert [took.seconds for took in history.stages["03"]] == [7.5, 8.5]
    history.add("03", Took((Part("1.1", 1.0), Part("1.2", 8.0))))
    assert [took.seconds for took in TimingHistory(path, "tiny").stages["03"]] == [7.5, 8.5, 9.0]


@pytest.mark.parametrize(
    "text", ["{torn", "[]", '{"schema_version": 2, "profiles": 7}', '{"schema_version": 9}']
)
def test_an_unreadable_history_is_kept_aside(text: str, tmp_path: Path) -> None:
    for name, kind in (("h", TimingHistory), ("f", ForecastLog)):
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        kind(path, "tiny")
        (aside,) = tmp_path.glob(f"{name}.json.broken-*")
        assert aside.read_text() == text


def test_what_reads_the_work_of_a_stage_that_runs_is_not_foreseen_as_kept() -> None:
    def row(key: str, reads: str, writes: str) -> StageSpec:
        return StageSpec(key, f"scripts/{key}.py", key, 1, "data", (reads,), (writes,))

    class Stands:
        def look(self, spec: StageSpec) -> Look:
            return Look(spec.key != "data", "")

    rows = (
        row("prompt", "catalog.json", "prompt.txt"),
        row("data", "lessons/", "data/rows.jsonl"),
        row("check", "data/", "check.json"),
        row("training", "prompt.txt", "models/vN/"),
        row("exam", "check.json", "results/"),
    )
    plan, stands = Plan("blueprint", "full", rows), cast(Contents, Stands())
    assert kept_stages(plan, stands) == {"prompt", "training"}
    assert kept_stages(plan._replace(force=True), stands) == frozenset()


def test_a_setting_is_what_decides_the_work(tmp_path: Path) -> None:
    usual = setting_of(Config())
    assert setting_of(Config(dashboard=Dashboard(port=9000))) == usual
    assert setting_of(Config(training=Training(epochs=5))) != usual
    (tmp_path / "rows").write_bytes(b"12345")
    assert bytes_of([tmp_path / "rows", tmp_path / "gone"]) == 5
    assert bytes_of([tmp_path / "gone"]) is None and bytes_of([]) is None


def test_the_played_plan_is_uneven_enough_to_mean_something() -> None:
    run = made_run(0)
    seconds: dict[str, float] = {}
    for at, event in run:
        if event["type"] == "stage_started":
            seconds[event["stage"]] = -at
        elif event["type"] == "stage_ended":
            seconds[event["stage"]] += at
    assert set(seconds) == set(PLAN)
    assert max(seconds.values()) > 0.4 * sum(seconds.values()) > 100 * min(seconds.values())
    assert msgspec.json.encode([event for _, event in run])


def test_a_torn_history_gives_way_to_its_last_generation(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    for seconds in (1.0, 2.0):
        TimingHistory(path, "tiny").add(
            "04", Took((Part("", seconds),))
        )  # a new run writes its first at once
    path.write_text("{torn")
    assert TimingHistory(path, "tiny").stages["04"] == [Took((Part("", 1.0),))]
