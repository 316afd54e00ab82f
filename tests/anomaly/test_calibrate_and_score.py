"""Stages 24 and 25 on prepared files: thresholds belong to their model, decisions repeat bit for bit."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nightforge.anomaly import forest
from nightforge.anomaly import synthetic_fdc as generator
from nightforge.anomaly.calibrate import calibrate, recalibrate
from nightforge.anomaly.calibrated import find, load
from nightforge.anomaly.prepare import prepare
from nightforge.anomaly.prepared import open_prepared
from nightforge.anomaly.records import FIELDS
from nightforge.anomaly.score import ByHand, score_batch
from nightforge.config import Config, load_config
from nightforge.core.errors import InputError, NothingNewError, StoppedError
from nightforge.core.paths import Project
from tests.anomaly.prepare_fakes import Remembering

ROOT = Path(__file__).resolve().parents[2]
PLANT = generator.make_plant(6, 5)
SETTINGS = (
    "swinmae.enabled=false",
    "anomaly.patchtst_detector=features",
    "anomaly.lags=8",
    "anomaly.alpha_warn=0.1",
    "anomaly.alpha_anomaly=0.04",
    "patchtst.data.seq_len=16",
    "patchtst.data.calibrate_ratio=0.25",
    "patchtst.data.train_ratio=0.5",
)
FAULT = generator.Fault("step", 1, 60, 120, 6.0)


def write(path: Path, number: int, rows: int, faults: tuple[generator.Fault, ...] = ()) -> None:
    frame = pd.DataFrame(generator.record(PLANT, rows, number, faults), columns=list(PLANT.names))
    frame["valve"] = 3.0 if number != 91 else np.where(np.arange(rows) < 100, 3.0, 3.5)
    start = pd.Timestamp("2026-01-01") + pd.Timedelta(days=number)
    frame.insert(0, "timestamp", pd.date_range(start, periods=rows, freq="1s").strftime("%Y-%m-%d %H:%M:%S"))
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


@dataclass(frozen=True)
class Line:
    """A project with prepared data; each test works on a copy."""

    project: Project

    def config(self, *more: str) -> Config:
        return load_config(self.project, None, [*SETTINGS, *more], None)

    def calibrate(self, *more: str, **options: Any) -> dict[str, Any]:
        return calibrate(self.config(*more), self.project, Remembering(), lambda: False, **options)

    def score(self, *more: str, **options: Any) -> Path:
        done = score_batch(self.config(*more), self.project, Remembering(), lambda: False, **options)
        return self.project.root / done["folder"]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest, "TREES", 5)
        yield


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("line")
    for name in ("pipeline_config.json", "profiles"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, root / name)
    for number in range(6):
        write(root / f"data/local/train/fdc/{number}.csv", number, 600)
    write(root / "data/local/test/fdc/fault.csv", 90, 203, (FAULT,))
    write(root / "data/local/test/fdc/valve.csv", 91, 203)
    write(root / "data/local/test/fdc/short.csv", 92, 11)
    line = Line(Project(root))
    prepare(line.config(), line.project, Remembering(), lambda: False)
    line.calibrate()
    return root


@pytest.fixture
def line(calibrated: Path, tmp_path: Path) -> Line:
    shutil.copytree(calibrated, tmp_path / "line")
    return Line(Project(tmp_path / "line"))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_fault_becomes_one_event_with_its_channel_first(line: Line) -> None:
    folder = line.score(run_id="r1")
    event = next(e for e in table(folder, "patchtst_alarms.csv") if e["file"] == "fault.csv")
    assert event["channels"].startswith(PLANT.names[1])
    assert int(event["start_row"]) <= FAULT.first + 8 and int(event["end_row"]) >= FAULT.end - 16
    assert event["start"].startswith("2026-04-01T00:0") and event["state"] == "anomaly"
    assert 0 < float(event["p_min"]) <= 0.04


def test_every_window_of_every_file_has_a_record_with_the_fields_of_the_facts(line: Line) -> None:
    folder = line.score()
    rows = table(folder, "patchtst_events.csv")
    windows = (203 - 16) // 4 + 2
    assert tuple(rows[0]) == FIELDS
    assert [row["file_id"] for row in rows] == ["fault.csv"] * windows + ["valve.csv"] * windows
    assert [int(row["window_index"]) for row in rows] == list(range(2 * windows))
    stored = json.loads((folder / "patchtst_events.json").read_text(encoding="utf-8"))
    assert [str(record["score"]) for record in stored["records"]] == [row["score"] for row in rows]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["streams"]["patchtst"]
    assert stored["summary"]["decision_counts"] == summary["summary"]["decision_counts"]
    assert sum(summary["summary"]["decision_counts"].values()) == len(rows)
    assert summary["too_short"] == [
        {"file_id": "short.csv", "first_row": 0, "rows": 11, "state": "too_short"}
    ]
    assert summary["detector"] == "features" and set(summary["detectors"]) == {"pca", "iforest", "features"}


def test_a_constant_channel_that_moves_is_an_anomaly_that_names_it(line: Line) -> None:
    folder = line.score()
    rows = [row for row in table(folder, "patchtst_events.csv") if row["file_id"] == "valve.csv"]
    moved = [row for row in rows if row["reason"] == "valve never moved in training and did now"]
    assert len(moved) == sum(16 + 4 * i > 100 for i in range(len(rows)))
    assert {row["decision"] for row in moved} == {"anomaly"}
    event = [e for e in table(folder, "patchtst_alarms.csv") if e["file"] == "valve.csv"][-1]
    assert event["channels"].startswith("valve")


def test_judging_again_gives_the_same_bits(line: Line) -> None:
    names = ("patchtst_events.csv", "patchtst_events.json", "patchtst_alarms.csv")
    first, second = line.score(run_id="a"), line.score(run_id="b")
    assert [(first / name).read_bytes() for name in names] == [(second / name).read_bytes() for name in names]


def test_the_boxes_of_the_graph_are_lit_in_order_and_go_out(line: Line) -> None:
    report = Remembering()
    score_batch(line.config(), line.project, report, lambda: False)
    assert [name for name, status in report.nodes if status == "running"] == [
        "batch-orchestrator",
        "batch-decision",
        "batch-patchtst",
        "batch-report",
    ]
    assert {status for _, status in report.nodes} == {"running", "done"}
    stopped = Remembering()
    with pytest.raises(StoppedError):
        score_batch(line.config(), line.project, stopped, lambda: True)
    assert ("batch-patchtst", "fail") in stopped.nodes and ("batch-orchestrator", "fail") in stopped.nodes


def test_the_newest_decisions_are_named_last_and_others_stay(line: Line) -> None:
    first, second = line.score(run_id="a"), line.score()
    latest = json.loads((line.project.anomaly_results / "latest.json").read_text(encoding="utf-8"))
    assert latest == {"label": second.name, "run_id": None}
    assert second.name.startswith("by-hand-") and (first / "report.html").is_file()


def test_nothing_new_is_not_calibrated_again_and_force_makes_a_new_version(line: Line) -> None:
    old = find(line.project.models, "patchtst")
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    with pytest.raises(NothingNewError):
        line.calibrate()
    line.calibrate(force=True)
    line.calibrate("anomaly.alpha_warn=0.2")
    assert find(line.project.models, "patchtst").name == "anomaly-patchtst-v3"
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    with pytest.raises(InputError, match=r"with other settings: alpha_warn was 0.2, is 0.1"):
        line.score()
    assert line.score(by_hand=ByHand(version=1)).is_dir()


def test_too_few_calibration_windows_are_refused_with_the_numbers_that_help(line: Line) -> None:
    with pytest.raises(
        InputError, match=r"0.001 needs at least 999 .*has 42\. Either bring at least 23.8 times"
    ):
        line.calibrate("anomaly.alpha_anomaly=0.001")


def test_new_thresholds_from_files_that_are_normal_are_a_new_version_of_the_same_detectors(
    line: Line,
) -> None:
    for number in range(70, 73):
        write(line.project.root / f"more/{number}.csv", number, 200)
    normal, old = ("more/*.csv",), find(line.project.models, "patchtst")
    before = (old / "manifest.json").read_bytes()
    done = recalibrate(line.config(), line.project, Remembering(), lambda: False, "patchtst", normal)
    assert (
        done["patchtst"]["folder"] == "models/anomaly-patchtst-v2" and done["patchtst"]["n_effective"] == 36
    )
    assert (old / "manifest.json").read_bytes() == before
    with (
        np.load(old / "detectors.npz") as a,
        np.load(find(line.project.models, "patchtst") / "detectors.npz") as b,
    ):
        assert a["features.mean"].tobytes() == b["features.mean"].tobytes()
        assert len(a["scores.features"]) != len(b["scores.features"])
    assert line.score().is_dir()


def edited(path: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Line], None]:
    def apply(line: Line) -> None:
        file = line.project.root / path
        content = json.loads(file.read_text(encoding="utf-8"))
        change(content)
        file.write_text(json.dumps(content), encoding="utf-8")

    return apply


def renamed(line: Line) -> None:
    for file in (line.project.root / "data/local/train/fdc").iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace("valve", "tap"), encoding="utf-8")
    shutil.rmtree(line.project.root / "data/local/test")
    prepare(line.config(), line.project, Remembering(), lambda: False)


def damaged(line: Line) -> None:
    path = line.project.models / "anomaly-patchtst-v1/detectors.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"!")


MANIFEST = "models/anomaly-patchtst-v1/manifest.json"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damaged, "differs from the manifest; the file is damaged"),
        (renamed, "was calibrated for the channels .*valve; the data have .*tap"),
        (edited(MANIFEST, lambda m: m.update(fs_hz=50.0)), "was calibrated at 50.0 Hz"),
        (edited(MANIFEST, lambda m: m.update(profile_hash="0")), "another channel profile"),
        (
            edited(MANIFEST, lambda m: m.update(network={"name": "patchtst", "hash": "0"})),
            "thresholds of another model: patchtst 0; the model given is none",
        ),
        (
            edited(MANIFEST, lambda m: m.update(network_folder="patchtst-v3")),
            "patchtst-v3 is missing, with which anomaly-patchtst-v1 was made",
        ),
        (lambda line: shutil.rmtree(line.project.models), "anomaly-patchtst-vN is missing"),
    ],
)
def test_thresholds_that_do_not_belong_are_refused(
    line: Line, harm: Callable[[Line], None], words: str
) -> None:
    harm(line)
    with pytest.raises(InputError, match=words):
        line.score(run_id="r")
    assert not list((line.project.anomaly_results / "runs").iterdir())


@pytest.mark.parametrize("detector", ["fused", "patchtst"])
def test_a_detector_that_needs_a_network_is_never_replaced(line: Line, detector: str) -> None:
    with pytest.raises(
        InputError, match=f"no patchtst model is trained, and the detector '{detector}' needs"
    ):
        line.calibrate(f"anomaly.patchtst_detector={detector}")
    with pytest.raises(InputError, match=f"calibrated without a network for .* ask for '{detector}'"):
        line.score(f"anomaly.patchtst_detector={detector}")


def test_files_named_by_hand_are_judged_like_the_batch(line: Line) -> None:
    write(line.project.root / "more/fault.csv", 90, 203, (FAULT,))
    write(line.project.root / "more/odd.csv", 95, 203)
    odd = line.project.root / "more/odd.csv"
    odd.write_text(odd.read_text(encoding="utf-8").replace(PLANT.names[0], "other"), encoding="utf-8")
    folder = line.score(by_hand=ByHand(stream="patchtst", files=("more/*.csv",)))
    rows, batch = table(folder, "patchtst_events.csv"), table(line.score(), "patchtst_events.csv")
    assert [row["score"] for row in rows] == [row["score"] for row in batch if row["file_id"] == "fault.csv"]
    with pytest.raises(InputError, match="files=nowhere finds no"):
        line.score(by_hand=ByHand(stream="patchtst", files=("nowhere",)))


def test_a_stop_leaves_no_half_written_decisions(line: Line) -> None:
    with pytest.raises(StoppedError):
        score_batch(line.config(), line.project, Remembering(), lambda: True, run_id="r")
    assert not list((line.project.anomaly_results / "runs").iterdir())
    assert not (line.project.anomaly_results / "latest.json").exists()


def test_a_calibration_comes_back_as_it_was(line: Line) -> None:
    prepared = open_prepared(line.project.anomaly_data / "fdc" / "train")
    folder = find(line.project.models, "patchtst")
    calibration, manifest = load(folder, prepared.profile, None)
    entry = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))["detectors"]["pca"]
    assert (
        calibration.conformal["pca"].threshold(0.04) == entry["anomaly"] == calibration.limits["pca"].anomaly
    )
    assert manifest["data_hash"] == prepared.hash and entry["n_effective"] == 42


def test_names_cannot_break_the_report(line: Line) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    for folder in ("train", "test"):
        for file in (line.project.root / f"data/local/{folder}/fdc").iterdir():
            file.write_text(file.read_text(encoding="utf-8").replace("valve", hostile), encoding="utf-8")
    prepare(line.config(), line.project, Remembering(), lambda: False)
    line.calibrate()
    page = (line.score() / "report.html").read_text(encoding="utf-8")
    assert "<img" not in page and "&lt;img src=x" in page and "<script" not in page
