"""A newcomer in the browser: import files, press Train, watch the graph, read decisions with causes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_whole_pipeline import checkout  # noqa: F401  (a fixture: the tracked files, as a clone holds them)

from nightforge.anomaly.synthetic_fdc import Fault, make_plant, record

ROWS, CHANNELS = 1600, 4
FAULT = Fault("step", channel=1, first=500, end=800, magnitude=4.0)
LONGEST_MS = 420_000  # of the whole run on a busy computer
SMALL = {
    "patchtst.training.max_steps": "12",
    "patchtst.training.batch_size": "32",
    "anomaly.alpha_warn": "0.2",
    "anomaly.alpha_anomaly": "0.1",
}


def write_csv(path: Path, number: int, faults: tuple[Fault, ...] = ()) -> Path:
    """Write one file of the generator's plant, one row a second."""
    plant = make_plant(CHANNELS, seed=11)
    values = record(plant, ROWS, number, faults)
    times = np.datetime64("2026-01-01T00:00:00") + np.timedelta64(1, "D") * number + np.arange(ROWS)
    lines = [",".join(("timestamp", *plant.names))]
    lines += [f"{time},{','.join(f'{x:.5g}' for x in row)}" for time, row in zip(times, values, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def address(checkout: Path) -> Iterator[str]:  # noqa: F811
    """The real server of the scratch project."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {key: value for key, value in os.environ.items() if key != "NIGHTFORGE_ROOT"}
    command = [sys.executable, "serve_dashboard.py", "--port", str(port)]
    with subprocess.Popen(command, cwd=checkout, env=own, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and "Nightforge dashboard" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        server.terminate()


def fill_settings(tab: Any) -> None:
    tab.page.locator("#tab-settings").click()
    for key, value in SMALL.items():
        field = tab.page.locator(f'[id="set-{key}"]')
        field.fill(value)
        field.press("Tab")
    tab.page.locator(".diff", has_text="4 settings differ").wait_for()
    tab.page.locator("#tab-files").click()


def import_files(tab: Any, stream: str, part: str, files: list[Path]) -> None:
    tab.page.locator(f'input[data-place="{stream} {part}"]').set_input_files(files)
    zone = tab.page.locator(".zone").filter(has=tab.page.locator(f'input[data-place="{stream} {part}"]'))
    zone.locator(".there", has_text=f"{len(files)} file").wait_for()


@pytest.mark.slow
def test_files_become_calibrated_decisions_with_causes_in_the_browser(
    checkout: Path,  # noqa: F811
    address: str,
    tmp_path: Path,
    open_tab: Callable[..., Any],
) -> None:
    tab = open_tab()
    tab.goto(f"{address}/dashboard/anomaly.html")
    train = [write_csv(tmp_path / f"normal-{number}.csv", number) for number in (1, 2, 3)]
    import_files(tab, "patchtst", "train", train)
    import_files(tab, "patchtst", "test", [write_csv(tmp_path / "tonight.csv", 9, (FAULT,))])
    fill_settings(tab)
    tab.page.locator("#use-swinmae").uncheck()
    tab.page.get_by_role("button", name="Train", exact=True).click()
    tab.page.locator("#title:text-is('Running')").wait_for(timeout=LONGEST_MS)
    for name in ("Prepare data", "PatchTST", "Calibrate"):
        lit = ".graph-node.running, .graph-node.done"
        tab.page.locator(lit, has_text=name).first.wait_for(timeout=LONGEST_MS)
    tab.page.locator("#title:text-is('Finished')").wait_for(timeout=LONGEST_MS)
    assert "Sensor tables:" in tab.text("#detail") and "Vibration" not in tab.text("#detail")
    rows = tab.page.locator(".event-table tbody tr")
    rows.first.wait_for()
    strongest = max(rows.all_inner_texts(), key=lambda words: float(words.split("\t")[4].replace(",", "")))
    cause = make_plant(CHANNELS, seed=11).names[FAULT.channel]
    assert strongest.split("\t")[-1].startswith(cause), strongest
    assert "tonight.csv" in strongest and "Jan 10 00:0" in strongest
    tab.page.screenshot(path=tmp_path / "finished.png")
    tab.page.locator("#tab-losses").click()
    tab.page.locator("#pane-losses path").first.wait_for()
    tab.page.locator("#tab-checks").click()
    assert tab.page.locator(".check.failed").count() == 0 and tab.page.locator(".check.done").count() >= 6
    tab.page.locator("#tab-quality").click()
    tab.page.locator(".quality-table tbody tr", has_text="tonight.csv").wait_for()
    tab.check(address)
    state = json.loads((checkout / "logs" / "pipeline_live_state.json").read_text(encoding="utf-8"))
    assert state["pipeline"] == "anomaly" and state["status"] == "succeeded"
    assert "23" not in {stage["id"] for stage in state["stages"]}
