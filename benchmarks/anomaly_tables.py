"""SKAB and TEP: baselines on rows, the product's detectors, the network trained and untrained.

Every method scores rows in one order of steps: fit on normal rows, score the others, metric per file, mean
over files. A window's score belongs to its last row. Values are scaled by the rows to fit on.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from anomaly_data import HARD_FAULTS, plain_profile, segment, skab, tep
from anomaly_frame import Quiet, Recipe, Results, spread, table

from nightforge.anomaly.calibrated import cut_of
from nightforge.anomaly.detectors import Detectors, Encoder
from nightforge.anomaly.forest import Forest
from nightforge.anomaly.metrics import auroc, average_precision
from nightforge.anomaly.patchtst import Recipe as NetworkRecipe
from nightforge.anomaly.patchtst import untrained_encoder
from nightforge.anomaly.patchtst_training import train_on
from nightforge.anomaly.pca import Pca, lagged
from nightforge.anomaly.recording import Profile, window_starts
from nightforge.anomaly.views import View
from nightforge.anomaly.vus import vus_pr
from nightforge.config import Config

Scores = dict[str, np.ndarray]  # method -> one score per row, NaN where it gives none


@dataclass(frozen=True)
class Case:
    """One file to judge. train: (rows, C) scaled normal rows; test: (T, C) scaled; labels: (T,), judged from
    row `first` on.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    labels: np.ndarray
    first: int


def skab_section(data: Path, recipe: Recipe, seeds: int, results: Results, held_out: bool) -> None:
    """Print SKAB's table: fit on rows 0 to 399 of each file, judge the rest of it."""
    files = skab(data, held_out)
    cases = [Case(f.name, f.standard()[: f.fit], f.standard(), f.labels, f.fit) for f in files]
    measured = _measure(cases, recipe["skab"], seeds, (1, 10), _vus)
    title = "SKAB " + ("valve2 and other" if held_out else "valve1")
    means = _show(title, f"{len(files)} files", measured, ("AUROC", "AP", "VUS-PR"))
    default = recipe["skab"].anomaly.patchtst_detector
    best = max((name for name in means if name.startswith(("PCA", "IF", "max"))), key=lambda n: means[n][2])
    trained, control = means["patchtst, trained"][0], means["patchtst, untrained"][0]
    readouts = [n for n in means if "untrained" in n and not n.startswith("fused")]
    readout = max(readouts, key=lambda n: means[n][0])
    results.add(
        f"{title}, default detector ({default}), VUS-PR",
        spread(measured[f"{default}, trained"][:, :, 2].mean(axis=1)),
        f"at least the best baseline of this run, {means[best][2]:.3f} ({best}); aim .935",
        means[f"{default}, trained"][2] >= means[best][2],
    )
    results.add(
        f"{title}, the same with an untrained network", f"{means[f'{default}, untrained'][2]:.3f}", "told"
    )
    results.add(
        f"{title}, PatchTST embedding alone, AUROC",
        spread(measured["patchtst, trained"][:, :, 0].mean(axis=1)),
        "at least .87",
        trained >= 0.87,
    )
    results.add(
        f"{title}, above its untrained control",
        f"{trained - control:+.3f}",
        f"at least +.05 (control {control:.3f}; best untrained readout {means[readout][0]:.3f}: {readout})",
        trained - control >= 0.05,
    )


def tep_section(data: Path, recipe: Recipe, seeds: int, results: Results, held_out: bool) -> None:
    """Print TEP's table: fit on d00, judge each fault's test file."""
    normal, faults = tep(data, range(11, 22) if held_out else range(1, 11))
    mean, deviation = normal.mean(axis=0), normal.std(axis=0)
    cases = [
        Case(f.name, (normal - mean) / deviation, (f.values - mean) / deviation, f.labels, 0)
        for f in faults.values()
    ]
    measured = _measure(cases, recipe["tep"], seeds, (1, 5), _auroc_only)
    easy = [place for place, fault in enumerate(faults) if fault not in HARD_FAULTS]
    title = f"TEP faults {min(faults)} to {max(faults)}"
    _show(title, "all faults", measured, ("AUROC",))
    left_out = " and ".join(str(f) for f in HARD_FAULTS if f in faults)
    shown = {name: found[:, easy] for name, found in measured.items()}
    means = _show(title, f"without {left_out}", shown, ("AUROC",))
    default = recipe["tep"].anomaly.patchtst_detector
    per_fault = measured[f"{default}, trained"][:, :, 0].mean(axis=0)
    print(f"{default} per fault:", " ".join(f"{f}: {v:.3f}" for f, v in zip(faults, per_fault, strict=True)))
    figure = means[f"{default}, trained"][0]
    results.add(
        f"{title} without {left_out}, default detector ({default}), AUROC",
        spread(shown[f"{default}, trained"][:, :, 0].mean(axis=1)),
        "at least .965; beside it PCA T2+Q 5 lags " + f"{means['PCA T2+Q, 5 lags'][0]:.3f}",
        figure >= 0.965,
    )
    untrained = means[f"{default}, untrained"][0]
    results.add(f"{title} without {left_out}, the same with an untrained network", f"{untrained:.3f}", "told")


def _vus(labels: np.ndarray, scores: np.ndarray) -> tuple[float, ...]:
    return auroc(labels, scores), average_precision(labels, scores), vus_pr(labels, scores)


def _auroc_only(labels: np.ndarray, scores: np.ndarray) -> tuple[float, ...]:
    return (auroc(labels, scores),)


def _measure(
    cases: Sequence[Case],
    config: Config,
    seeds: int,
    lags: tuple[int, int],
    metric: Callable[[np.ndarray, np.ndarray], tuple[float, ...]],
) -> dict[str, np.ndarray]:
    """Return per method (seeds, files, metrics)."""
    profile = plain_profile(tuple(f"c{i}" for i in range(cases[0].train.shape[1])))
    found: dict[str, list[list[tuple[float, ...]]]] = defaultdict(list)
    for seed in range(seeds):
        trained = Product(config, _trained(cases, profile, config, seed))
        untrained = Product(config, untrained_encoder(config, profile, seed))
        per_method: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        for case in cases:
            scores = _baselines(case, lags, seed)
            scores |= trained.score(case, "trained")
            scores |= untrained.score(case, "untrained")
            for name, rows in scores.items():
                judged = np.arange(case.first, len(rows))
                judged = judged[np.isfinite(rows[judged])]
                per_method[name].append(metric(case.labels[judged], rows[judged]))
        for name, values in per_method.items():
            found[name].append(values)
    return {name: np.array(values) for name, values in found.items()}


def _trained(cases: Sequence[Case], profile: Profile, config: Config, seed: int) -> Encoder:
    """Train one network on the normal rows of all files, each once."""
    parts = {case.train.tobytes(): case.train for case in cases}
    segments = [segment(f"train {i}", part) for i, part in enumerate(parts.values())]
    with tempfile.TemporaryDirectory() as folder:
        return train_on(segments, profile, NetworkRecipe.of(config), seed, Path(folder), Quiet())


def _baselines(case: Case, lags: tuple[int, int], seed: int) -> Scores:
    """Score single rows, and rows with those before them; the first of a file are repeated."""
    rng = np.random.default_rng([seed, len(case.test)])
    scores = {
        "random": rng.random(len(case.test)),
        "time ramp": np.arange(len(case.test), dtype=np.float64),
        "max absolute z": np.abs(case.test).max(axis=1),
    }
    for count in lags:
        train, test = (lagged(np.asarray(part, np.float64), count) for part in (case.train, case.test))
        pad = [count - 1, 0]
        name = "row" if count == 1 else f"{count} lags"
        model = Pca.fit(train)
        scores[f"PCA Q, {name}"] = np.pad(model.statistics(test)[1], pad, "edge")
        scores[f"PCA T2+Q, {name}"] = np.pad(model.score(test), pad, "edge")
        scores[f"IF, {name}"] = np.pad(Forest.fit(train, seed).score(test), pad, "edge")
    return scores


class Product:
    """The product's detectors with one network; fitted anew only when the rows to fit on are others."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        self._config, self._encoder = config, encoder
        cut = replace(cut_of(config, encoder.stream, encoder.profile), stride=1)
        self._view = View(encoder.profile, cut)
        self._rows = b""

    def score(self, case: Case, kind: str) -> Scores:
        """Score with the product's detectors, a window at every row; the untrained network also through other
        readouts of its embedding.
        """
        self._fit(case.train)
        test = segment("test", case.test)
        names = self._detectors.names if kind == "trained" else ("patchtst", "fused")
        found = self._detectors.score(test, names)
        neural = {"patchtst", "fused"}
        scores = {f"{n}, {kind}" if n in neural else f"product {n}": found[n] for n in names}
        embedded = _embedded(self._encoder, self._view, test.values)
        scores[f"embedding PCA Q, {kind}"] = self._readout.statistics(embedded)[1]
        scores[f"embedding PCA T2+Q, {kind}"] = self._readout.score(embedded)
        pad = [self._view.cut.rows - 1, 0]
        return {name: np.pad(rows, pad, constant_values=np.nan) for name, rows in scores.items()}

    def _fit(self, rows: np.ndarray) -> None:
        if rows.tobytes() == self._rows:
            return
        train, seed = segment("train", rows), self._config.anomaly.seed
        self._detectors = Detectors.fit([train], self._view, self._encoder, seed)
        self._readout = Pca.fit(_embedded(self._encoder, self._view, train.values))
        self._rows = rows.tobytes()


def _embedded(encoder: Encoder, view: View, values: np.ndarray) -> np.ndarray:
    starts = window_starts(len(values), view.cut.rows, 1)
    return encoder.embed(view.windows(segment("", values), starts))


def _show(
    title: str, what: str, measured: dict[str, np.ndarray], metrics: tuple[str, ...]
) -> dict[str, list[float]]:
    """Print mean over files, mean and deviation over seeds; return the means."""
    print(f"\n## {title}, {what}\n")
    over_files = {name: found.mean(axis=1) for name, found in measured.items()}
    rows = []
    for name, found in over_files.items():
        fixed = np.ptp(found) == 0.0
        rows.append([name, *(spread(found[:1, k] if fixed else found[:, k]) for k in range(len(metrics)))])
    table(["method", *metrics], rows)
    return {name: found.mean(axis=0).tolist() for name, found in over_files.items()}
