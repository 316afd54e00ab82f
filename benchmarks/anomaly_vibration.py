"""Vibration of the generator, windows of half a second: classic features, Swin trained and untrained, fused.

Every seed is another machine with files of its own: 40 normal ones of 4 s to train on at any load, then
normal ones and six per kind of fault and strength. Judged window by window, as AUROC against normal windows.
"""

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from anomaly_data import segment
from anomaly_frame import Quiet, Recipe, Results, spread, table

from nightforge.anomaly import synthetic_vib as vib
from nightforge.anomaly.calibrated import cut_of
from nightforge.anomaly.detectors import Detectors, Encoder
from nightforge.anomaly.mahalanobis import Mahalanobis
from nightforge.anomaly.metrics import auroc
from nightforge.anomaly.pca import Pca
from nightforge.anomaly.profiles import fit_profile
from nightforge.anomaly.recording import Segment
from nightforge.anomaly.swin import untrained_encoder
from nightforge.anomaly.swin_training import train_on
from nightforge.anomaly.vibration_features import features
from nightforge.anomaly.views import View
from nightforge.config import Config

TRAIN_FILES, NORMAL_FILES, FAULT_FILES = 40, 40, 6
SAMPLES = 8000  # 4 s at 2 kHz
STRENGTHS = 3  # of vib.LEVELS; the last one is the goal's
_FIRST_TEST = 1000  # number of the first file that is not trained on
Windows = np.ndarray  # (n, T, 3)


def vibration_section(recipe: Recipe, seeds: int, results: Results) -> None:
    """Print AUROC per strength, mean over kinds of fault and seeds."""
    config = recipe["vibration"]
    per_seed = [_one_machine(config, seed) for seed in range(seeds)]
    methods = list(per_seed[0])
    found = {
        name: np.array([[values[name][k] for k in vib.KINDS] for values in per_seed]) for name in methods
    }
    print("\n## Synthetic vibration, windows of half a second\n")
    rows = []
    for name, values in found.items():  # (seeds, kinds, strengths)
        rows.append([name, *(spread(values[:, :, s].mean(axis=1)) for s in range(STRENGTHS))])
    table(["method", "hard", "medium", "easy"], rows)
    print("easy, per kind of fault:\n")
    rows = [[name, *(f"{v:.3f}" for v in values[:, :, -1].mean(axis=0))] for name, values in found.items()]
    table(["method", *vib.KINDS], rows)
    _judge(found, results)


def _judge(found: dict[str, np.ndarray], results: Results) -> None:
    easy = {name: values[:, :, -1].mean(axis=1) for name, values in found.items()}
    trained, control = easy["swin-mim, trained"], easy["swin-mim, untrained"]
    readouts = [n for n in easy if "untrained" in n and not n.startswith("fused")]
    best = max(readouts, key=lambda n: easy[n].mean())
    results.add(
        "synthetic vibration, Swin embedding, AUROC", spread(trained), "at least .98", trained.mean() >= 0.98
    )
    results.add(
        "synthetic vibration, above its untrained control",
        f"{trained.mean() - control.mean():+.3f}",
        f"above 0 (control {control.mean():.3f}; best untrained readout {easy[best].mean():.3f}: {best})",
        trained.mean() > control.mean(),
    )
    fused = easy["fused, trained"]
    results.add("synthetic vibration, fused, AUROC", spread(fused), "at least .99", fused.mean() >= 0.99)


def _one_machine(config: Config, seed: int) -> dict[str, dict[str, list[float]]]:
    """Return method -> kind -> AUROC per strength."""
    machine = vib.make_machine(config.swinmae.data.fs, seed)
    train = [segment(f"train {n}", vib.record(machine, SAMPLES, n)) for n in range(TRAIN_FILES)]
    clock = (1.0 / machine.fs_hz, machine.fs_hz)
    blocks = [part.values for part in train]
    profile = fit_profile("swinmae", vib.AXES, blocks, "zscore", clock).profile
    view = View(profile, cut_of(config, profile.stream, profile))
    windows = _windows(view, train)
    with tempfile.TemporaryDirectory() as folder:
        trained = train_on(train, profile, config.swinmae, seed, Path(folder), Quiet())
    untrained = untrained_encoder(config.swinmae, profile, seed, windows)
    scorers = _scorers(
        view, train, windows, {"trained": trained, "untrained": untrained}, config.anomaly.seed
    )
    rng = np.random.default_rng(seed)
    scorers["random"] = lambda part: rng.random(sum(len(view.starts(s)) for s in part))
    normal = [segment("normal", vib.record(machine, SAMPLES, _FIRST_TEST + n)) for n in range(NORMAL_FILES)]
    at_rest = {name: score(normal) for name, score in scorers.items()}
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for place, kind in enumerate(vib.KINDS):
        for level, strength in enumerate(vib.LEVELS[kind]):
            first = 2 * _FIRST_TEST + 100 * place + 10 * level
            faulty = [
                segment(kind, vib.record(machine, SAMPLES, first + n, [vib.Fault(kind, strength)]))
                for n in range(FAULT_FILES)
            ]
            for name, score in scorers.items():
                scores = np.concatenate([at_rest[name], score(faulty)])
                found[name][kind].append(auroc(np.arange(len(scores)) >= len(at_rest[name]), scores))
    return found


def _windows(view: View, segments: list[Segment]) -> Windows:
    return np.concatenate([view.windows(part, view.starts(part)) for part in segments])


def _scorers(
    view: View, train: list[Segment], windows: Windows, encoders: dict[str, Encoder], seed: int
) -> dict:
    """Return name -> what scores the windows of some segments: (n,)."""
    fs_hz = view.profile.fs_hz
    size = Mahalanobis.fit(_log_rms(windows))
    scorers = {"log-RMS": lambda part: size.score(_log_rms(_windows(view, part)))}
    spectrum = Pca.fit(features(windows, fs_hz))
    scorers["PCA Q of features"] = lambda part: spectrum.statistics(features(_windows(view, part), fs_hz))[1]
    for kind, encoder in encoders.items():
        detectors = Detectors.fit(train, view, encoder, seed)
        for name in detectors.names:
            if name in ("swin-mim", "fused"):
                scorers[f"{name}, {kind}"] = _detector(detectors, name)
            else:
                scorers[name] = _detector(detectors, name)
        readout = Pca.fit(encoder.embed(windows))
        scorers[f"embedding PCA Q, {kind}"] = _readout(view, encoder, readout, 1)
        scorers[f"embedding PCA T2+Q, {kind}"] = _readout(view, encoder, readout, None)
    return scorers


def _detector(detectors: Detectors, name: str):
    return lambda part: np.concatenate([detectors.score(one, [name])[name] for one in part])


def _readout(view: View, encoder: Encoder, model: Pca, statistic: int | None):
    def score(part: list[Segment]) -> np.ndarray:
        embedded = encoder.embed(_windows(view, part))
        return model.score(embedded) if statistic is None else model.statistics(embedded)[statistic]

    return score


def _log_rms(windows: Windows) -> np.ndarray:
    return np.log(windows.astype(np.float64).std(axis=1))
