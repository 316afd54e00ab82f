"""Each kind of damage the generator knows is found, and is answered the way that is written here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import SeedSequence

from nightforge.anomaly.synthetic_defects import DAMAGE, damage
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from tests.anomaly.prepare_fakes import of_file, run, sensors, waveform, write

pytestmark = pytest.mark.slow  # whole imports, one per kind

DROP, KEEP = "drop", "keep"
# kind -> decision, and words that must be among the findings and actions
SENSORS = {
    "nan_run": (KEEP, ""),
    "text": (KEEP, "text in 1 cell"),
    "text_column": (KEEP, "holds no number in this file"),
    "repeated_stamp": (DROP, "4 repeated and 0 backward"),
    "backward_stamp": (DROP, "backward timestamps"),
    "gap": (KEEP, "1 gap in time"),
    "mixed_dates": (KEEP, ""),
    "renamed": (DROP, "closest column"),
    "swapped": (KEEP, "channels put into the order"),
    "missing_column": (DROP, "of the training set missing"),
    "unit_switch": (KEEP, "has drifted: 50% outside the range"),
    "constant": (KEEP, "stuck all the time"),
    "clipped": (KEEP, ""),
    "flat": (KEEP, "stands still for"),
}
VIBRATION = {
    "nan_run": (KEEP, ""),
    "text": (KEEP, "text in 1 cell"),
    "text_column": (DROP, "holds no number in this file"),
    "irregular_stamps": (KEEP, "timestamps scatter"),
    "wrong_rate": (DROP, "sampling rate 1000 Hz, 50.0% from"),
    "missing_column": (DROP, "missing; the columns are"),
    "renamed": (DROP, "missing; the columns are"),
    "clipped": (KEEP, "clipped: "),
    "flat": (KEEP, "stands still"),
    "gap": (KEEP, "1 gap in time"),
}


def words_of(entry: dict[str, Any]) -> str:
    return " | ".join(entry["hard_fails"] + entry["warnings"] + entry["actions"])


def test_every_kind_of_damage_is_written_here() -> None:
    assert set(SENSORS) | set(VIBRATION) == set(DAMAGE)


@pytest.mark.parametrize("kind", SENSORS)
def test_damage_to_a_sensor_table(project: Project, kind: str) -> None:
    decision, words = SENSORS[kind]
    write(project.root / "data/local/train/fdc", a=sensors())
    bad, told = damage(sensors(400), [kind], SeedSequence(3))
    write(project.root / "data/local/test/fdc", bad=bad, good=sensors(400))
    run(project)
    entry = of_file(project, "bad.csv")
    assert entry["decision"] == decision and words in words_of(entry), words_of(entry)
    if kind == "clipped":
        (hit,) = (c for c in entry["channels"] if c["name"] == told[0]["channel"])
        assert hit["clipped_ratio"] > 0.02
    if kind == "nan_run":
        assert sum(c["missing"] for c in entry["channels"]) == told[0]["end"] - told[0]["first"]


@pytest.mark.parametrize("kind", VIBRATION)
def test_damage_to_a_recording(project: Project, kind: str) -> None:
    decision, words = VIBRATION[kind]
    write(project.root / "data/local/train/vib", a=waveform(8000))
    bad, _ = damage(waveform(4000, seed=1), [kind], SeedSequence(3))
    write(project.root / "data/local/test/vib", bad=bad)
    window = ("swinmae.data.win_sec=0.1", "swinmae.data.win_stride_sec=0.1")
    if decision == DROP:
        with pytest.raises(InputError, match="every one of 1 file was dropped: bad.csv"):
            run(project, *window, stream="swinmae")
    else:
        run(project, *window, stream="swinmae")
    entry = of_file(project, "bad.csv", "vib")
    assert entry["decision"] == decision and words in words_of(entry), words_of(entry)
    assert np.isfinite(entry["metrics"]["row_count"])
