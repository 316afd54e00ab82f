"""From sensor files of every kind to data sets that later stages can trust, or to an error with numbers."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.anomaly.sources import GENERATED_FILES
from nightforge.core.errors import BadDataError, ConfigError, InputError, StoppedError
from nightforge.core.paths import Project
from tests.anomaly.prepare_fakes import Remembering, of_file, quality, run, sensors, write

TRAIN, TEST = "data/local/train/fdc", "data/local/test/fdc"


def train_set(project: Project) -> Prepared:
    return open_prepared(project.anomaly_data / "fdc" / "train")


def score_set(project: Project) -> Prepared:
    return open_prepared(project.anomaly_data / "fdc" / "score")


def test_files_become_parts_with_gaps_and_a_profile_of_the_training_rows(project: Project) -> None:
    write(project.root / TRAIN, a=sensors(seed=1), b=sensors(seed=2, start="2026-01-02"))
    report = Remembering()
    result = run(project, report=report)
    prepared = train_set(project)
    assert (result["train_files"], result["channels"], prepared.parts) == (
        2,
        3,
        ("train", "val", "calibrate", "test"),
    )
    for entry in prepared.split["files"]:
        spans = [entry["ranges"][part] for part in prepared.parts]
        assert spans[0][0] == 0 and spans[-1][1] == entry["rows"] == 800
        gaps = [later[0] - earlier[1] for earlier, later in zip(spans, spans[1:], strict=False)]
        assert min(gaps) >= 32 + 10  # one window and the lags
    rows = np.concatenate([segment.values for segment in prepared.segments("train")])
    assert len(rows) == 2 * 480
    np.testing.assert_allclose(prepared.profile.center, np.median(rows, axis=0), rtol=1e-5)
    np.testing.assert_allclose(prepared.profile.maximum, rows.max(axis=0))
    assert prepared.profile.step_s == 1.0
    assert [node for node in report.nodes if node[1] == "done"] == [
        (name, "done") for name in ("data-prep", "dqvl", "batch-import", "batch-dqvl")
    ]


def test_without_files_to_be_judged_the_test_part_is(project: Project) -> None:
    write(project.root / TRAIN, a=sensors())
    run(project)
    test, score = train_set(project).segments("test"), score_set(project).segments("all")
    assert [s.first_row for s in score] == [s.first_row for s in test] != [0]
    np.testing.assert_array_equal(score[0].values, test[0].values)
    np.testing.assert_array_equal(score[0].times_s, test[0].times_s)
    assert score_set(project).profile == train_set(project).profile


def test_the_same_files_and_settings_give_the_same_hash(project: Project) -> None:
    write(project.root / TRAIN, a=sensors())
    first = run(project)
    assert run(project)["train_hash"] == first["train_hash"]
    assert run(project, "patchtst.data.train_ratio=0.5")["train_hash"] != first["train_hash"]


def test_generated_data_goes_the_same_way_and_is_said(project: Project) -> None:
    report = Remembering()
    result = run(project, "patchtst.data.total_steps=800", report=report)
    assert result["source"] == "synthetic" and result["train_files"] == GENERATED_FILES
    assert any("synthetic" in text for text in report.messages)
    assert (project.anomaly_data / "synthetic/fdc/truth.json").is_file()


def test_no_window_crosses_a_gap_in_time(project: Project) -> None:
    frame = sensors(900)
    write(project.root / TRAIN, a=frame.drop(range(100, 150)))
    run(project)
    first, second = train_set(project).segments("train")
    assert (len(first.values), second.first_row) == (100, 100)
    assert second.times_s is not None and first.times_s is not None
    assert second.times_s[0] - first.times_s[-1] == 51
    assert "1 gap in time, the longest 51 s before data row 101" in " ".join(
        of_file(project, "a.csv")["warnings"]
    )


def test_a_short_hole_is_bridged_and_a_long_one_takes_the_fill_value(project: Project) -> None:
    frame = sensors()
    frame.loc[10:12, "flow"] = np.nan
    frame.loc[50:79, "flow"] = np.nan
    frame.loc[100:119, ["flow", "temp", "speed"]] = np.nan
    write(project.root / TRAIN, a=frame)
    run(project)
    prepared = train_set(project)
    first, second = prepared.segments("train")
    assert (len(first.values), second.first_row) == (100, 120)  # nothing was measured in between
    assert of_file(project, "a.csv")["actions"] == ["20 rows masked in 1 place: not measured"]
    line = np.linspace(frame.flow[9], frame.flow[13], 5)[1:-1]
    np.testing.assert_allclose(first.values[10:13, 0], line, rtol=1e-6)
    np.testing.assert_allclose(first.values[50:80, 0], prepared.profile.fill[0], rtol=1e-6)
    assert not first.observed[10:13, 0].any() and first.observed[:, 1].all()


def test_channels_are_put_in_order_by_name(project: Project) -> None:
    write(project.root / TRAIN, a=sensors(seed=1))
    other = sensors(200, seed=2)
    write(project.root / TEST, b=other[["speed", "timestamp", "temp", "flow"]].assign(extra=1.0))
    run(project)
    np.testing.assert_allclose(
        score_set(project).segments("all")[0].values, other[["flow", "temp", "speed"]], rtol=1e-6
    )
    found = of_file(project, "b.csv")
    assert "extra" in " ".join(found["warnings"]) and "order" in " ".join(found["actions"])


@pytest.mark.parametrize("columns", [{"temp": "temperature"}, {"temp": "TEMP "}])
def test_a_renamed_channel_ends_with_its_name_and_the_closest(
    project: Project, columns: dict[str, str]
) -> None:
    write(project.root / TRAIN, a=sensors(seed=1))
    write(project.root / TEST, b=sensors(200).rename(columns=columns))
    with pytest.raises(
        InputError, match=rf"'temp' \(closest column: '{columns['temp'].strip()}'\)"
    ) as caught:
        run(project)
    assert caught.value.exit_code == 2
    assert of_file(project, "b.csv")["decision"] == "drop"


def test_one_bad_file_to_be_judged_does_not_stop_the_others(project: Project) -> None:
    write(project.root / TRAIN, a=sensors(seed=1))
    write(project.root / TEST, bad=sensors(200).drop(columns="temp"), good=sensors(200), short=sensors(20))
    report = Remembering()
    run(project, report=report)
    assert [entry["file_id"] for entry in score_set(project).split["files"]] == ["good.csv", "short.csv"]
    assert of_file(project, "short.csv")["state"] == "too_short"
    assert "bad.csv was dropped" in report.alerts[0] and "'temp'" in report.alerts[0]


def test_text_labels_counters_and_rare_columns_are_no_channels(project: Project) -> None:
    frame = sensors().assign(operator="Ann", Anomaly=0)
    rare = sensors(seed=1, start="2026-01-02").assign(operator="Bob", humidity=3.0)
    write(project.root / TRAIN, a=frame, b=sensors(seed=2, start="2026-01-03").assign(operator="Cy"))
    rare.to_csv(project.root / TRAIN / "c.csv")  # with the row numbers pandas writes
    report = Remembering()
    run(project, report=report)
    assert any("columns left out: operator (it holds text" in text for text in report.messages)
    assert train_set(project).profile.channels == ("flow", "temp", "speed")
    dropped = {entry["name"]: entry["reason"] for entry in quality(project)["dropped_channels"]}
    assert "text" in dropped["operator"] and "1 of 3" in dropped["humidity"]
    with pytest.raises(InputError, match="'operator'"):
        run(project, "patchtst.dqvl.drop_channels=false")


DAMAGE: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "repeated stamps": (lambda f: pd.concat([f.head(400), f.tail(401)]), "1 repeated and 0 backward"),
    "backward stamps": (lambda f: pd.concat([f.tail(400), f.head(400)]), "1 backward"),
    "unreadable stamps": (
        lambda f: f.assign(timestamp=np.where(np.arange(len(f)) < 100, "?", f.timestamp)),
        "100 of 800 timestamps are unreadable",
    ),
    "nothing measured": (
        lambda f: f.assign(
            **{name: np.where(np.arange(len(f)) < 600, np.nan, f[name]) for name in f.columns[1:]}
        ),
        "75.0% of the values are missing, more than 50%",
    ),
    "one row": (lambda f: f.head(1), "1 row; at least 2"),
    "no rows": (lambda f: f.head(0), "0 rows"),
    "no measurements": (lambda f: f[["timestamp"]], "no column holds measurements"),
    "one channel fewer": (lambda f: f.drop(columns="speed"), "'speed'"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_file_that_cannot_be_used_is_dropped_with_the_numbers(
    project: Project, damage: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    good = {name: sensors(seed=i, start=f"2026-02-0{i + 1}") for i, name in enumerate("ab")}
    write(project.root / TRAIN, **good, c=damage(sensors(seed=9)))
    run(project)
    found = of_file(project, "c.csv")
    assert found["decision"] == "drop" and words in " ".join(found["hard_fails"])
    assert [entry["file_id"] for entry in train_set(project).split["files"]] == ["a.csv", "b.csv"]
    assert 'c.csv</td><td><span class="drop">' in (project.anomaly_results / "quality/fdc.html").read_text()


def test_a_few_unreadable_stamps_are_put_between_their_neighbours(project: Project) -> None:
    frame = sensors()
    frame.loc[[0, 7, 8, 799], "timestamp"] = ["?", "?", "?", "?"]
    write(project.root / TRAIN, a=frame)
    run(project)
    times = train_set(project).segments("all")[0].times_s
    np.testing.assert_allclose(np.diff(times), 1.0)
    assert "4 of 800 timestamps are unreadable (first in data row 1)" in of_file(project, "a.csv")["warnings"]


def test_sorting_is_done_only_when_allowed(project: Project) -> None:
    frame = sensors()
    write(project.root / TRAIN, a=pd.concat([frame.tail(400), frame.head(401)]))
    run(project, "patchtst.dqvl.allow_sort_fix=true")
    (segment,) = train_set(project).segments("all")
    np.testing.assert_array_equal(np.diff(segment.times_s), np.ones(799))
    np.testing.assert_allclose(segment.values[:, 0], frame.flow, rtol=1e-6)


def test_a_copy_of_a_file_is_dropped(project: Project) -> None:
    write(project.root / TRAIN, a=sensors(), b=sensors(), c=sensors(seed=2))
    run(project)
    assert of_file(project, "b.csv")["hard_fails"] == ["the same content as a.csv"]


def test_a_file_the_model_knows_is_judged_with_a_warning(project: Project) -> None:
    write(project.root / TRAIN, a=sensors())
    write(project.root / TEST, again=sensors())
    run(project)
    assert "trained on it (a.csv)" in " ".join(of_file(project, "again.csv")["warnings"])


def test_findings_per_channel_are_measured(project: Project) -> None:
    clean = sensors(2000, seed=1)
    write(project.root / TRAIN, a=clean)
    rng = np.random.default_rng(5)
    bad = sensors(1000, seed=1)
    bad["flow"] = bad.flow * 1000
    bad["temp"] = 80.0
    bad["speed"] = 1500 + rng.normal(size=1000) * 4000
    write(project.root / TEST, b=bad)
    run(project)
    found = of_file(project, "b.csv")
    words = " | ".join(found["warnings"])
    assert "'flow' has drifted" in words and "1000 times as large: another unit?" in words
    assert "stuck all the time (deviation at most 1e-08): temp" in words
    assert "'speed' jumps in" in words
    channels = {record["name"]: record for record in found["channels"]}
    assert channels["temp"]["longest_stuck_rows"] == 1000
    assert channels["flow"]["drift"]["outside_ratio"] > 0.99
    assert found["metrics"]["stuck_channels_count"] == 1 and found["metrics"]["jump_ratio"] > 0.2
    assert all(not entry["warnings"] for entry in quality(project)["files"] if entry["part"] == "train")


def test_a_file_of_another_pace_is_not_judged(project: Project) -> None:
    write(project.root / TRAIN, a=sensors())
    slow = sensors(200, seed=1)
    slow["timestamp"] = pd.date_range("2026-03-01", periods=200, freq="10s").astype(str)
    write(project.root / TEST, slow=slow)
    with pytest.raises(InputError, match="a row every 10 s, in the training data every 1 s"):
        run(project)


def test_a_sensor_that_stands_still_and_rows_that_repeat_are_told(project: Project) -> None:
    frame = sensors()
    frame.loc[100:399, "flow"] = 4.0
    frame.loc[500:699, ["flow", "temp", "speed"]] = [4.0, 80.0, 1500.0]
    write(project.root / TRAIN, a=frame.assign(valve=(np.arange(800) > 500) * 1.0))
    run(project)
    words = " | ".join(of_file(project, "a.csv")["warnings"])
    assert "'flow' stands still for 300 rows" in words and "'valve'" not in words
    assert "25% of the rows repeat" in words


def test_a_channel_without_a_value_in_the_training_rows_is_left_out(project: Project) -> None:
    frame = sensors()
    frame.loc[:500, "temp"] = np.nan
    write(project.root / TRAIN, a=frame)
    run(project)
    assert train_set(project).profile.channels == ("flow", "speed")
    assert quality(project)["dropped_channels"] == [
        {"name": "temp", "reason": "no value in the training rows"}
    ]


def test_a_part_that_gaps_cut_into_short_pieces_is_empty(project: Project) -> None:
    frame = sensors()
    frame["timestamp"] = pd.to_datetime(frame.timestamp) + pd.to_timedelta(
        np.arange(len(frame)) // 30 * 3600, unit="s"
    )
    write(project.root / TRAIN, a=frame)
    with pytest.raises(InputError, match="no window for the part train, val, calibrate, test"):
        run(project)


def test_a_switched_off_check_still_drops_what_cannot_be_read(project: Project) -> None:
    write(project.root / TRAIN, a=sensors(), b=sensors(seed=3).assign(flow=1.0, temp=np.nan, speed=np.nan))
    (project.root / TRAIN / "c.csv").write_bytes(b"\x00\x01")
    run(project, "patchtst.dqvl.enabled=false")
    assert [entry["file_id"] for entry in train_set(project).split["files"]] == ["a.csv", "b.csv"]


def test_zip_parquet_folders_and_lists(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    write(folder / "deep" / "er", a=sensors(seed=1))
    write(tmp_path / "loose", b=sensors(seed=2))
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.write(tmp_path / "loose/b.csv", "inside/b.csv")
        archive.writestr("readme.txt", "hello")
    run(project, f"patchtst.data.path={folder}")
    names = [entry["file_id"] for entry in train_set(project).split["files"]]
    assert names == ["deep/er/a.csv", "more.zip/inside/b.csv"]
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    sensors(seed=4).to_parquet(parquet / "p.parquet")
    sensors(seed=5, start="2027-01-01").to_parquet(parquet / "q.pq")
    run(project, f'patchtst.data.path=["{parquet}/*.parquet", "{parquet}/*.pq"]')
    assert [entry["file_id"] for entry in train_set(project).split["files"]] == ["p.parquet", "q.pq"]


def put(folder: Path, **files: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["patchtst.data.path=nowhere/*.csv"], "patchtst.data.path=nowhere"),
        (["patchtst.data.source=parquet"], "finds no .parquet or .pq file"),
        (["patchtst.data.test_path=nowhere"], "patchtst.data.test_path=nowhere"),
        (["patchtst.data.seq_len=400"], "no window for the part val, calibrate, test"),
        (["patchtst.data.val_ratio=0"], "no window for the part val"),
        (
            ["patchtst.data.timestamp_col=clock", "patchtst.dqvl.hard_fail.require_timestamp=true"],
            "no timestamp",
        ),
    ],
)
def test_settings_that_leave_nothing_end_with_the_key_and_the_numbers(
    project: Project, settings: list[str], words: str
) -> None:
    write(project.root / TRAIN, a=sensors())
    run(project)
    before = train_set(project).hash
    with pytest.raises(InputError, match=words) as caught:
        run(project, *settings)
    assert caught.value.exit_code == 2 and caught.value.next_command
    assert train_set(project).hash == before, "what was there must stay"
    assert quality(project)["error"]


def test_mixed_kinds_of_files_are_refused_until_one_is_chosen(project: Project) -> None:
    write(project.root / TRAIN, a=sensors())
    sensors().to_parquet(project.root / TRAIN / "b.parquet")
    with pytest.raises(InputError, match="1 csv and 1 parquet files"):
        run(project)
    assert run(project, "patchtst.data.source=csv")["train_files"] == 1


def test_files_to_be_judged_without_any_to_learn_from_are_an_error(project: Project) -> None:
    write(project.root / TEST, a=sensors())
    with pytest.raises(InputError, match="patchtst.data.path"):
        run(project)


def test_all_files_dropped_names_them_and_lights_the_node(project: Project) -> None:
    put(project.root / TRAIN, a_csv=b"timestamp,x\n", b_csv=b"1,2\n3,4\n")
    report = Remembering()
    with pytest.raises(
        InputError, match="every one of 2 training files was dropped: a.csv: 0 rows.*b.csv: the first row"
    ):
        run(project, report=report)
    assert report.nodes[-1] == ("dqvl", "fail")


def test_files_without_a_common_channel_are_refused_with_each_columns_reason(project: Project) -> None:
    table = sensors()[["timestamp"]]
    other = sensors(seed=1, start="2026-01-02")[["timestamp", "speed"]]
    write(project.root / TRAIN, a=table.assign(state="on"), b=other.assign(state="off"))
    with pytest.raises(InputError, match="'state': it holds text .*; 'speed': only 1 of 2 files have it"):
        run(project)


def test_names_from_files_cannot_reach_the_page_as_markup(project: Project) -> None:
    frame = sensors().rename(columns={"flow": "<script>alert(1)</script>"})
    write(project.root / TRAIN, a=frame.assign(timestamp="<b>"), b=frame)
    run(project)
    page = (project.anomaly_results / "quality/fdc.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_stop_leaves_what_was_there(project: Project) -> None:
    from nightforge.anomaly.prepare import prepare
    from nightforge.config import load_config

    write(project.root / TRAIN, a=sensors())
    run(project)
    before = train_set(project).hash
    config = load_config(project, None, ["swinmae.enabled=false"], None)
    with pytest.raises(StoppedError):
        prepare(config, project, Remembering(), lambda: True)
    assert train_set(project).hash == before
    assert not (project.anomaly_data / "fdc" / ".work").exists()


def test_a_changed_data_set_is_not_read(project: Project) -> None:
    write(project.root / TRAIN, a=sensors())
    run(project)
    folder = project.anomaly_data / "fdc/train"
    array = folder / "rows/000.npz"
    array.write_bytes(array.read_bytes()[:-1] + b"x")
    with pytest.raises(BadDataError, match="000.npz"):
        open_prepared(folder).segments("train")
    (folder / "split.json").write_text("{}")
    with pytest.raises(BadDataError, match="split.json was changed"):
        open_prepared(folder)
    (folder / "dataset.json").unlink()
    with pytest.raises(InputError, match="21_check_sensor_data"):
        open_prepared(folder)


def test_an_unknown_setting_is_an_error(project: Project) -> None:
    with pytest.raises(ConfigError, match="ignore_columns"):
        run(project, "patchtst.data.ignore_column=x")
