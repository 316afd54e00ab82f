"""Files that cannot be used end a run with words: in the terminal, and at the addresses the page reads."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_anomaly_pipeline import command, environment, make_project
from web_sites import ask, overview, serving

from nightforge.core.paths import Project
from tests.anomaly.prepare_fakes import sensors, waveform, write

SENSORS = ("patchtst", ("swinmae.enabled=false",))
NO_VAL = (*SENSORS[1], "patchtst.data.val_ratio=0")
NO_CLOCK = (*SENSORS[1], "patchtst.dqvl.hard_fail.require_timestamp=true")
VIBRATION = ("swinmae", ("patchtst.enabled=false",))


def mixed(folder: Path) -> None:
    write(folder, a=sensors())
    sensors(seed=1).to_parquet(folder / "b.parquet")


def renamed(folder: Path) -> None:
    write(folder, a=sensors(2000))
    write(folder.parents[1] / "test" / "fdc", b=sensors(200).rename(columns={"temp": "temperature"}))


def holes(folder: Path) -> None:
    frame = sensors()
    frame.loc[:599, ["flow", "temp", "speed"]] = np.nan
    write(folder, a=frame)


def bomb(folder: Path) -> None:
    write(folder, good=sensors(2000))
    with zipfile.ZipFile(folder / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(30_000_000))


def broken_off(folder: Path) -> None:
    write(folder, a=sensors(2000))
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.write(folder / "a.csv", "a.csv")
    (folder / "more.zip").write_bytes((folder / "more.zip").read_bytes()[:-2000])


# what is put into the folder of training files, stream and settings, words that must be read
CASES: dict[str, tuple[Callable[[Path], object], tuple[str, tuple[str, ...]], str]] = {
    "NaN": (holes, SENSORS, "75.0% of the values are missing, more than 50%"),
    "text": (
        lambda f: write(f, a=sensors()[["timestamp"]].assign(flow="on")),
        SENSORS,
        "no channel in common that holds numbers: 'flow': it holds text",
    ),
    "one row": (lambda f: write(f, a=sensors(1)), SENSORS, "1 row; at least 2"),
    "no timestamp": (
        lambda f: write(f, a=sensors().drop(columns="timestamp")),
        ("patchtst", NO_CLOCK),
        "no timestamp",
    ),
    "renamed channel": (renamed, SENSORS, "'temp' (closest column: 'temperature')"),
    "mixed kinds": (mixed, SENSORS, "1 csv and 1 parquet files"),
    "empty validation": (
        lambda f: write(f, a=sensors(2000)),
        ("patchtst", NO_VAL),
        "no window for the part val.",
    ),
    "zip bomb": (bomb, SENSORS, "zip bomb"),
    "broken off": (broken_off, SENSORS, "more.zip"),
    "wrong rate": (lambda f: write(f, a=waveform(8000, fs=1000.0)), VIBRATION, "sampling rate 1000 Hz"),
    "missing axis": (lambda f: write(f, a=waveform(8000).drop(columns="z")), VIBRATION, "axis z missing"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_bad_files_are_named_in_the_terminal_and_on_the_page(tmp_path: Path, case: str) -> None:
    put, (stream, settings), words = CASES[case]
    root = make_project(tmp_path / "project")
    put(root / "data" / "local" / "train" / ("fdc" if stream == "patchtst" else "vib"))
    argv = command("launch_pipeline.py", settings, "--foreground", "--pipeline", "anomaly", "--data-only")
    done = subprocess.run(argv, cwd=root, env=environment(root), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and words in done.stderr, done.stdout + done.stderr
    assert "next: " in done.stderr and "Traceback" not in done.stderr
    with serving(Project(root)) as site:
        state = json.loads(ask(site, "/logs/pipeline_live_state.json").body)
        report = json.loads(ask(site, f"/api/anomaly/quality/{stream}").body)
        assert overview(site)["run"]["status"] == "failed"
    assert words in state["stages"][0]["message"] and words in report["error"]
