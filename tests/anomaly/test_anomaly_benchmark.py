"""The ground of the benchmark: loaders check files, the recipe has a hash, baselines are the known ones."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import anomaly_data
import anomaly_frame

from nightforge.anomaly.metrics import auroc, average_precision
from nightforge.anomaly.pca import Pca, lagged
from nightforge.anomaly.vus import vus_pr
from nightforge.core.errors import BadDataError, ConfigError, InputError

SHARED = ROOT.parent / "shared" / "data"
HEAD = ";".join(["datetime", *anomaly_data.SKAB_COLUMNS, "anomaly", "changepoint"])


def _skab_file(path, onset, rows=450):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    lines = [HEAD]
    for row in range(rows):
        cells = ";".join(f"{v:.4f}" for v in rng.standard_normal(8))
        lines.append(f"2020-03-09 10:00:{row % 60:02d};{cells};{float(row >= onset)};0.0")
    path.write_text("\n".join(lines) + "\n")


def test_skab_is_found_at_any_depth_and_held_out_files_only_when_asked_for(tmp_path, capsys):
    _skab_file(tmp_path / "a" / "b" / "valve1" / "0.csv", 420)
    _skab_file(tmp_path / "other" / "1.csv", 430)
    _skab_file(tmp_path / "other" / "2.csv", 104)
    (tmp_path / "anomaly-free.csv").write_text(HEAD.removesuffix(";anomaly;changepoint") + "\n")
    (found,) = anomaly_data.skab(tmp_path, held_out=False)
    assert found.name == "valve1/0" and found.values.shape == (450, 8) and found.labels.argmax() == 420
    standard = found.standard()[: found.fit]
    assert np.allclose(standard.mean(axis=0), 0, atol=1e-5) and np.allclose(
        standard.std(axis=0), 1, atol=1e-5
    )
    assert [f.name for f in anomaly_data.skab(tmp_path, held_out=True)] == ["other/1"]
    assert "left out: other/2.csv, its anomaly starts at row 104" in capsys.readouterr().out


def test_a_folder_without_the_set_is_named(tmp_path):
    with pytest.raises(InputError, match="no SKAB file of valve1"):
        anomaly_data.skab(tmp_path, held_out=False)
    with pytest.raises(InputError, match=r"d00\.dat of TEP is not below"):
        anomaly_data.tep(tmp_path, range(1, 2))


def test_the_transposed_normal_file_of_tep_is_turned_and_other_shapes_are_refused(tmp_path):
    normal = np.arange(500 * 52, dtype=float).reshape(500, 52)
    np.savetxt(tmp_path / "d00.dat", normal.T)
    np.savetxt(tmp_path / "d01_te.dat", np.zeros((960, 52)))
    found, faults = anomaly_data.tep(tmp_path, range(1, 2))
    assert np.array_equal(found, normal)
    assert faults[1].labels.sum() == 800 and not faults[1].labels[159]
    np.savetxt(tmp_path / "d01_te.dat", np.zeros((960, 51)))
    with pytest.raises(BadDataError, match=r"\(960, 51\)"):
        anomaly_data.tep(tmp_path, range(1, 2))


def test_the_recipe_hash_changes_with_a_setting_and_a_mistake_is_named(tmp_path, monkeypatch):
    recipe = tmp_path / "recipe.json"
    monkeypatch.setattr(anomaly_frame, "RECIPE", recipe)
    hashes = set()
    for text in ('{"skab": {}}', '{"skab": {"anomaly": {"lags": 9}}}', '{"tep": {}}'):
        recipe.write_text(text)
        hashes.add(anomaly_frame.read_recipe().hash)
    assert len(hashes) == 3
    recipe.write_text('{"skab": {"anomaly": {"lagz": 9}}}')
    with pytest.raises(ConfigError, match="skab: .*lagz"):
        anomaly_frame.read_recipe()
    recipe.write_text('{"tep": {"patchtst": {"data": {"seq_len": 30}}}}')
    with pytest.raises(ConfigError, match=r"tep: patchtst\.data\.seq_len 30"):
        anomaly_frame.read_recipe()


def test_the_committed_recipe_is_valid():
    assert set(anomaly_frame.read_recipe().settings) == {"skab", "tep", "vibration", "generator"}


@pytest.mark.skipif(not (SHARED / "skab").is_dir(), reason="SKAB is not in ../shared/data")
def test_baselines_on_skab_are_those_known_so_metric_and_protocol_are_the_same():
    found = {"row": [], "10 lags": [], "z": []}
    for series in anomaly_data.skab(SHARED / "skab", held_out=False):
        values, labels = series.standard().astype(np.float64), series.labels[series.fit :]
        scores = {"z": np.abs(values).max(axis=1)[series.fit :]}
        for name, lags in (("row", 1), ("10 lags", 10)):
            fitted = Pca.fit(lagged(values[: series.fit], lags))
            scores[name] = fitted.score(lagged(values, lags))[series.fit - lags + 1 :]
        for name, part in scores.items():
            figures = auroc(labels, part), average_precision(labels, part), vus_pr(labels, part)
            found[name].append(figures)
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    assert means["z"] == pytest.approx([0.752, 0.780, 0.806], abs=6e-4)
    assert means["row"] == pytest.approx([0.771, 0.776, 0.807], abs=6e-4)
    assert means["10 lags"] == pytest.approx([0.892, 0.911, 0.927], abs=6e-4)
