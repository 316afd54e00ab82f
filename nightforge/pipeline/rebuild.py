"""A run's state from its journal and, where that is damaged, from the records of its attempts. # ops A4

The journal before the first bad line is believed. What it no longer tells is taken from the exit records
that the guards have written: a stage counts as done only with exit code 0, its done event and its outputs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightforge.core.atomic import write_bytes
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.events import read_events
from nightforge.core.records import JOURNAL, order_path, read_object
from nightforge.core.versions import MANIFEST
from nightforge.pipeline.fold import FINISHED, Event, fold_all
from nightforge.pipeline.journal import Damage, Reading, last_seq, read_journal
from nightforge.pipeline.retry import Ending, judge
from nightforge.pipeline.states import LiveState, StageState


def load_run(run_dir: Path) -> tuple[LiveState, int]:
    """Fold a run's journal into its state; returns it with the last sequence number. Changes nothing.

    Damage in the middle is bridged with what the attempts have left. Raises InputError when not even the
    start of the run can be read.
    """
    reading = read_journal(run_dir)
    events = [*reading.events, *_bridge(run_dir, reading)]
    return fold_all(events), last_seq(events)


def mend_journal(run_dir: Path) -> Damage | None:
    """Replace a damaged journal by what is known of the run; the damaged one is kept under another name.

    Only the holder of the project's lock may call this. Returns what was wrong, None for a sound journal.
    """
    reading = read_journal(run_dir)
    if reading.damage is None:
        return None
    path = run_dir / JOURNAL
    stamp = utc_now().replace(":", "").replace("-", "").replace(".", "")
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    events = [*reading.events, *_bridge(run_dir, reading, aside.name)]
    lines = [line + b"\n" for line in path.read_bytes().splitlines()[: reading.damage.line - 1]]
    lines += [_line(event) for event in events[len(reading.events) :]]
    write_bytes(aside, path.read_bytes())
    write_bytes(path, b"".join(lines))
    return reading.damage


def _bridge(run_dir: Path, reading: Reading, aside: str = "") -> list[Event]:
    """Return the events that the damaged part must have held, as far as the attempts tell."""
    if reading.damage is None:
        return []
    state = fold_all(reading.events)
    if not state.run_id:
        raise InputError(
            f"{run_dir / JOURNAL}, line {reading.damage.line}: {reading.damage.reason}; "
            "the start of the run cannot be read",
            next_command="python launch_pipeline.py",
        )
    seq = last_seq(reading.events)
    found: list[Event] = []
    for stage in state.stages:
        found += _unseen(run_dir, stage)
    found.sort(key=lambda event: str(event["time"]))
    words = f"{JOURNAL}, line {reading.damage.line}: {reading.damage.reason}"
    words += f"; it was kept as {aside}" if aside else ""
    ended = sum(event["type"] == "stage_ended" for event in found)
    found.append(
        {
            "time": utc_now(),
            "type": "alert",
            "level": "critical",
            "title": "The journal of this run was damaged",
            "detail": f"{words}. The rest was taken from the records of its attempts ({ended} had ended).",
        }
    )
    return [{"seq": seq + number, **event} for number, event in enumerate(found, 1)]


def _unseen(run_dir: Path, stage: StageState) -> list[Event]:
    """Return start and, if it has ended, end of a stage's newest attempt that the good part does not tell."""
    if stage.status in FINISHED:
        return []
    number = stage.attempt
    while order_path(run_dir, stage.id, number + 1).exists():
        number += 1
    order = read_object(order_path(run_dir, stage.id, number))
    if order is None or (number == stage.attempt and stage.status != "running"):
        return []
    exit_record = read_object(order_path(run_dir, stage.id, number, "exit")) or {}
    events, _ = read_events(Path(str(order["events"])), int(order["events_offset"]))
    time = str(exit_record.get("ended_at") or utc_now())
    started = {
        "time": str(events[0]["time"]) if events else time,
        "type": "stage_started",
        "stage": stage.id,
        "attempt": number,
        "max_attempts": max(number, stage.max_attempts),
    }
    found = [started] if number > stage.attempt else []  # the good part may tell of its start
    if exit_record.get("exit_code") is None:
        return found  # it may go on under its guard: the run takes it up, or tries again
    return [*found, _ended(run_dir, started, exit_record, events)]


def _ended(run_dir: Path, started: Event, exit_record: dict[str, Any], events: list[Event]) -> Event:
    last = {str(event["type"]): event for event in events}
    result = last.get("done", {}).get("result", {})
    verdict = judge(
        Ending(
            exit_code=int(exit_record["exit_code"]),
            done="done" in last and _outputs_there(run_dir, result),
            error=last.get("error"),
            killed_for=exit_record.get("ended_for"),
        )
    )
    return {
        "time": str(exit_record["ended_at"]),
        "type": "stage_ended",
        "stage": started["stage"],
        "attempt": started["attempt"],
        "outcome": verdict.outcome,
        "kind": verdict.kind,
        "message": verdict.message,
        "next_command": verdict.next_command,
        "result": {k: v for k, v in result.items() if isinstance(v, (str, int, float, bool))},
    }


def _outputs_there(run_dir: Path, result: dict[str, Any]) -> bool:
    """Tell whether the adapter a stage says it has made is there with its manifest, which is written last."""
    adapter = result.get("adapter")
    root = run_dir.parents[2]  # ROOT/logs/runs/RUN_ID
    return not isinstance(adapter, str) or (root / adapter / MANIFEST).is_file()


def _line(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"
