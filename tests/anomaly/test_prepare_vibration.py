"""From vibration files to recordings of one rate on three axes, or to an error with the numbers."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from tests.anomaly.prepare_fakes import Remembering, of_file, run, waveform, write

TRAIN, TEST = "data/local/train/vib", "data/local/test/vib"
WINDOW = ("swinmae.data.win_sec=0.1", "swinmae.data.win_stride_sec=0.1")  # 200 samples


def prepare(project: Project, *settings: str) -> dict[str, object]:
    return run(project, *WINDOW, *settings, stream="swinmae", report=Remembering())


def train_set(project: Project) -> Prepared:
    return open_prepared(project.anomaly_data / "vib" / "train")


def test_eight_recordings_are_divided_as_wholes(project: Project) -> None:
    write(project.root / TRAIN, **{f"r{i:02d}": waveform(seed=i) for i in range(10)})
    shares = {"train": 0.6, "val": 0.1, "calibrate": 0.15}
    prepare(project, *(f"swinmae.data.{part}_ratio={share}" for part, share in shares.items()))
    prepared = train_set(project)
    counts = {part: len({s.file_id for s in prepared.segments(part)}) for part in prepared.parts}
    assert counts == {"train": 6, "val": 1, "calibrate": 1, "test": 2} and sum(counts.values()) == 10
    assert {entry["state"] for entry in prepared.split["files"]} == {"whole"}
    assert (prepared.profile.fs_hz, prepared.profile.channels) == (2000.0, ("x", "y", "z"))


def test_few_recordings_are_divided_in_time_with_gaps(project: Project) -> None:
    write(project.root / TRAIN, a=waveform(8000), b=waveform(8000, seed=1))
    prepare(project)
    for entry in train_set(project).split["files"]:
        assert entry["ranges"]["val"][0] - entry["ranges"]["train"][1] == 200


HEADERS = [
    ("time", "X", "Y", "Z"),
    ("timestamp_s", "X-axis", "Y-axis", "Z-axis"),
    ("t", "accX", "accY", "accZ"),
    ("Time (s)", "Acc_X [g]", "Acc_Y [g]", "Acc_Z [g]"),
    ("datetime", "x_axis", "y_axis", "z_axis"),
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda names: names[1])
def test_axes_are_found_under_their_usual_names_in_any_order(
    project: Project, header: tuple[str, ...]
) -> None:
    frame = waveform(8000)
    renamed = frame.set_axis(list(header), axis=1)[[header[3], header[0], header[2], header[1]]]
    write(project.root / TRAIN, a=renamed.assign(temperature=20.0))
    prepare(project)
    (segment,) = train_set(project).segments("all")
    np.testing.assert_allclose(segment.values, frame[["x", "y", "z"]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(segment.times_s, frame.timestamp, atol=1e-9)


def test_arrays_and_headerless_tables_have_the_configured_rate(project: Project) -> None:
    values = waveform(8000)[["x", "y", "z"]].to_numpy()
    folder = project.root / TRAIN
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", values)
    prepare(project)
    (segment,) = train_set(project).segments("all")
    np.testing.assert_array_equal(segment.values, values.astype(np.float32))
    assert segment.times_s is not None and segment.times_s[-1] == pytest.approx(7999 / 2000)
    (folder / "a.npy").unlink()
    pd.DataFrame(values).to_csv(folder / "a.csv", header=False, index=False)
    prepare(project)
    assert len(train_set(project).segments("all")[0].values) == 8000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([], "sampling rate 1000 Hz, 50.0% from swinmae.data.fs 2000"),
        (['swinmae.data.actual_fs_by_file={"a.csv": 500}'], "sampling rate 500 Hz"),
        (["swinmae.data.actual_fs=250"], "sampling rate 250 Hz"),
    ],
)
def test_a_wrong_rate_is_an_error_with_both_rates(project: Project, settings: list[str], words: str) -> None:
    write(project.root / TRAIN, a=waveform(8000, fs=1000.0))
    with pytest.raises(InputError, match=words) as caught:
        prepare(project, *settings)
    assert caught.value.exit_code == 2


def test_a_rate_stated_for_a_file_that_is_not_there_is_told(project: Project) -> None:
    write(project.root / TRAIN, a=waveform(8000))
    report = Remembering()
    stated = 'swinmae.data.actual_fs_by_file={"a.csv": 2000, "b.csv": 500}'
    run(project, *WINDOW, stated, stream="swinmae", report=report)
    assert report.alerts == ["swinmae.data.actual_fs_by_file names no file: b.csv"]


def test_a_rate_that_nothing_tells_is_an_error_where_it_must_not_be_assumed(project: Project) -> None:
    write(project.root / TRAIN, a=waveform(8000)[["x", "y", "z"]])
    rules = ["swinmae.data.assume_actual_fs_equals_config=false", "swinmae.dqvl.hard_fail.missing_fs=true"]
    with pytest.raises(InputError, match="sampling rate unknown"):
        prepare(project, *rules)
    prepare(project, rules[0])
    assert "sampling rate unknown" in " ".join(of_file(project, "a.csv", "vib")["warnings"])


def test_another_rate_is_converted_without_aliases_when_allowed(project: Project) -> None:
    clock = np.arange(20000) / 5000.0
    tone = np.sin(2 * np.pi * 100 * clock) + np.sin(2 * np.pi * 1900 * clock)  # 1900 Hz folds onto 100 Hz
    write(project.root / TRAIN, a=pd.DataFrame({"time": clock, "x": tone, "y": tone, "z": tone}))
    prepare(project, "swinmae.data.resample.enabled=true")
    (segment,) = train_set(project).segments("all")
    assert len(segment.values) == 8000
    inner = slice(200, -200)
    expected = np.sin(2 * np.pi * 100 * np.arange(8000) / 2000.0)
    np.testing.assert_allclose(segment.values[inner, 0], expected[inner], atol=0.02)
    np.testing.assert_allclose(np.diff(segment.times_s), 1 / 2000.0, atol=1e-9)


def test_conversion_keeps_gaps_and_holes(project: Project) -> None:
    frame = waveform(16000, fs=4000.0)
    frame.loc[2000:2099, "y"] = np.nan
    write(project.root / TRAIN, a=frame.drop(range(8000, 8400)))
    prepare(project, "swinmae.data.resample.enabled=true")
    starts = [(s.first_row, len(s.values)) for s in train_set(project).segments("all")]
    assert starts == [(0, 1000), (1050, 2950), (4000, 3800)]
    last = train_set(project).segments("all")[-1]
    assert last.times_s is not None and last.times_s[0] == pytest.approx(8400 / 4000.0)


def test_a_coarse_clock_still_gives_the_rate(project: Project) -> None:
    frame = waveform(8000)
    write(project.root / TRAIN, a=frame.assign(timestamp=np.floor(frame.timestamp * 1000) / 1000))
    prepare(project)
    assert of_file(project, "a.csv", "vib")["metrics"]["actual_fs"] == pytest.approx(2000.0, rel=1e-3)


def test_jitter_and_lost_samples_do_not_move_the_rate(project: Project) -> None:
    frame = waveform(8000)
    noise = np.random.default_rng(0).uniform(-0.4, 0.4, 8000) / 2000.0
    frame["timestamp"] = frame.timestamp + noise
    write(project.root / TRAIN, a=frame.drop(range(100, 8000, 37)))
    prepare(project)
    found = of_file(project, "a.csv", "vib")
    assert found["metrics"]["actual_fs"] == pytest.approx(2000.0, rel=0.01)
    assert "scatter" in found["warnings"][0]
    assert found["metrics"]["gap_count"] == 0 and found["metrics"]["jitter"] > 0.2


BROKEN = {
    "missing axis": (waveform(4000)[["timestamp", "x", "y"]], "axis z missing; the columns are x, y"),
    "too short": (waveform(100), "100 rows are fewer than one window of 200"),
    "dead axis": (waveform(4000).assign(x=np.nan, y=np.nan), "66.7% of the values are missing"),
}


@pytest.mark.parametrize(("frame", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_recording_that_cannot_be_used_says_why(project: Project, frame: pd.DataFrame, words: str) -> None:
    write(project.root / TRAIN, a=waveform(8000), b=frame)
    prepare(project)
    found = of_file(project, "b.csv", "vib")
    assert words in " ".join(found["hard_fails"] + found["warnings"])
    assert {s.file_id for s in train_set(project).segments("all")} == {"a.csv"}


def test_an_array_of_two_columns_is_refused_by_its_shape(project: Project) -> None:
    folder = project.root / TRAIN
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", np.zeros((4000, 2)))
    with pytest.raises(InputError, match=r"shape \(4000, 2\) without column names; \(samples, 3\)"):
        prepare(project)


def test_findings_of_a_waveform_are_measured(project: Project) -> None:
    good, bad = waveform(8000), waveform(4000, seed=1)
    bad["x"] = bad.x.clip(-0.5, 0.5)
    bad["z"] = np.where(np.arange(4000) < 3600, 0.25, bad.z)
    bad["y"] *= 1e7
    write(project.root / TRAIN, a=good)
    write(project.root / TEST, b=bad)
    prepare(project)
    found = of_file(project, "b.csv", "vib")
    words = " | ".join(found["warnings"])
    assert "clipped: " in words and "flat: " in words and "root mean square" in words
    assert found["metrics"]["clipping_ratio"] > 0.5
    assert len(found["metrics"]["rms_per_axis"]) == 3 and found["metrics"]["raw_shape"] == [4000, 3]
    assert of_file(project, "a.csv", "vib")["warnings"] == []


def test_a_zip_of_arrays(project: Project, tmp_path: Path) -> None:
    (project.root / TRAIN).mkdir(parents=True)
    with zipfile.ZipFile(project.root / TRAIN / "all.zip", "w") as archive:
        for number in range(8):
            buffer = io.BytesIO()
            np.save(buffer, waveform(seed=number)[["x", "y", "z"]].to_numpy())
            archive.writestr(f"n{number}.npy", buffer.getvalue())
    assert prepare(project)["train_files"] == 8


def test_a_zip_bomb_is_refused(project: Project) -> None:
    (project.root / TRAIN).mkdir(parents=True)
    with zipfile.ZipFile(project.root / TRAIN / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(30_000_000))
    with pytest.raises(InputError, match="zip bomb"):
        prepare(project)
