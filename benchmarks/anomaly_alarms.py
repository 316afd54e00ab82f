"""Alarms on sensor tables of the generator: do thresholds keep their promise, is the right channel named.

Every seed is another plant. All its normal files are independent draws of one law, so calibration and test
windows are exchangeable; a drifting plant and one with two load modes show what happens when they are not.
"""

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from anomaly_data import segment
from anomaly_frame import Quiet, Recipe, Results, table

from nightforge.anomaly import synthetic_fdc as fdc
from nightforge.anomaly.attribution import Attribution
from nightforge.anomaly.calibrated import cut_of
from nightforge.anomaly.calibration import Conformal
from nightforge.anomaly.detectors import Detectors
from nightforge.anomaly.patchtst import Recipe as NetworkRecipe
from nightforge.anomaly.patchtst_training import train_on
from nightforge.anomaly.profiles import fit_profile
from nightforge.anomaly.recording import Segment
from nightforge.anomaly.views import View
from nightforge.config import Config

CHANNELS, TRAIN_FILES, TRAIN_ROWS = 8, 3, 4000
SPLITS, FILES, ROWS = 20, 15, 680  # per split: files to calibrate on, as many to test
FAULT_ROWS, FAULTS = 1000, 4  # files per kind and magnitude
ALPHAS = (0.05, 0.01)
_CALIBRATE, _TEST, _FAULTY = 10_000, 50_000, 90_000  # numbers of the first files of each part


def calibration_section(recipe: Recipe, seeds: int, results: Results) -> None:
    """Print the realised share of false alarms, mean over SPLITS splits of every plant."""
    config, found, naive, windows = recipe["generator"], defaultdict(list), defaultdict(list), 0
    for seed in range(seeds):
        plant = fdc.make_plant(CHANNELS, seed)
        detectors = _fitted(plant, config, seed)
        inside = {
            name: np.concatenate(
                [_apart(detectors, s, name) for s in _files(plant, 0, TRAIN_FILES, TRAIN_ROWS)]
            )
            for name in detectors.names
        }
        for split in range(SPLITS):
            first = split * FILES
            held = _files(plant, _CALIBRATE + first, FILES, ROWS)
            test = _files(plant, _TEST + first, FILES, ROWS)
            for name in detectors.names:
                scores = np.concatenate([_apart(detectors, s, name) for s in held])
                new = np.concatenate([_apart(detectors, s, name) for s in test])
                conformal = Conformal.of(scores, len(scores))
                found[name].append([(new > conformal.threshold(alpha)).mean() for alpha in ALPHAS])
                naive[name].append([(new > np.quantile(inside[name], 1 - alpha)).mean() for alpha in ALPHAS])
            windows += len(new)
    per_split = windows // (seeds * SPLITS)
    print(
        f"\n## Calibration, {seeds * SPLITS} splits of {per_split} calibration and {per_split} test windows\n"
    )
    rows = [
        [name, *(_share(np.array(values)[:, k]) for values in (found[name], naive[name]) for k in (0, 1))]
        for name in found
    ]
    table(["detector", "at 5 %", "at 1 %", "training quantile, 5 %", "training quantile, 1 %"], rows)
    for k, alpha in enumerate(ALPHAS):
        # Thresholds are drawn from as many windows as they are tested on: both samples scatter.
        bound = alpha + 2.0 * np.sqrt(2.0 * alpha * (1.0 - alpha) / windows)
        means = {name: float(np.mean(np.array(values)[:, k])) for name, values in found.items()}
        worst = max(means, key=lambda name: means[name])
        results.add(
            f"calibration, realised false alarms at {alpha:.0%}, worst detector",
            f"{means[worst]:.2%} ({worst})",
            f"at most {bound:.2%} (alpha + 2 standard errors; {windows} windows on each side)",
            means[worst] <= bound,
        )
    _unstable(config, found)


def _unstable(config: Config, found: dict[str, list[list[float]]]) -> None:
    """Print what a drift and a second load mode, each absent from calibration, do to the promise."""
    rows = []
    for what, changed in (
        ("drift of 1 sd per 1,000 rows", {"drift": 1.0}),
        ("a second load mode", {"modes": 2}),
    ):
        plant, other = fdc.make_plant(CHANNELS, 0), fdc.make_plant(CHANNELS, 0, **changed)
        detectors = _fitted(plant, config, 0, network=False)
        for name in detectors.names:
            held = [_apart(detectors, s, name) for s in _files(plant, _CALIBRATE, 2 * FILES, ROWS)]
            new = np.concatenate([_apart(detectors, s, name) for s in _files(other, _TEST, 2 * FILES, ROWS)])
            conformal = Conformal.of(np.concatenate(held), sum(map(len, held)))
            rows.append([what, name, *(f"{(new > conformal.threshold(a)).mean():.1%}" for a in ALPHAS)])
    print("Not exchangeable: calibrated before, tested after the change.\n")
    table(["change", "detector", "at 5 %", "at 1 %"], rows)


def attribution_section(recipe: Recipe, seeds: int, results: Results) -> None:
    """Print how often the true channel of a single-channel fault comes first, of flagged faults."""
    config = recipe["generator"]
    hits: dict[str, dict[tuple[str, int], list[bool]]] = defaultdict(lambda: defaultdict(list))
    made = flagged = 0
    for seed in range(seeds):
        plant = fdc.make_plant(CHANNELS, seed)
        detectors = _fitted(plant, config, seed)
        held = _files(plant, _CALIBRATE, FILES, ROWS)
        attribution = Attribution.calibrate(detectors, held)
        name = config.anomaly.patchtst_detector
        scores = np.concatenate([_apart(detectors, s, name) for s in held])
        limit = Conformal.of(scores, len(scores)).threshold(config.anomaly.alpha_anomaly)
        for kind, level, number in _faults():
            fault = fdc.random_fault(plant, kind, FAULT_ROWS, number, level)
            part = segment(kind, fdc.record(plant, FAULT_ROWS, number, [fault]))
            starts = detectors.view.starts(part)
            last = starts + detectors.view.cut.rows - 1
            hot = (detectors.score(part, [name])[name] > limit) & (last >= fault.first) & (starts < fault.end)
            made, flagged = made + 1, flagged + bool(hot.any())
            if hot.any():
                blame = attribution.blame(part, starts, np.flatnonzero(hot).tolist())
                for way, share in blame.items():
                    hits[way][kind, level].append(int(share.argmax()) == fault.channel)
    rows = []
    for way, cases in hits.items():
        shares = [np.mean(sum((v for (k, _), v in cases.items() if k == kind), [])) for kind in fdc.KINDS]
        rows.append([way, f"{np.mean(sum(cases.values(), [])):.1%}", *(f"{share:.0%}" for share in shares)])
    print(f"\n## Attribution, {flagged} of {made} single-channel faults flagged by {name}\n")
    table(["true channel first by", "all", *fdc.KINDS], rows)
    every = float(np.mean(sum(hits["distance"].values(), [])))
    results.add(
        "attribution, true channel first, flagged single-channel faults",
        f"{every:.1%}",
        "at least 90 %",
        every >= 0.9,
    )


def _faults() -> list[tuple[str, int, int]]:
    """Return kind, level and file number of every fault."""
    cases = [(kind, level) for kind in fdc.KINDS for level in range(len(fdc.LEVELS[kind]))]
    return [
        (kind, level, _FAULTY + 100 * i + n) for i, (kind, level) in enumerate(cases) for n in range(FAULTS)
    ]


def _files(plant: fdc.Plant, first: int, count: int, rows: int) -> list[Segment]:
    return [segment(str(n), fdc.record(plant, rows, n)) for n in range(first, first + count)]


def _fitted(plant: fdc.Plant, config: Config, seed: int, network: bool = True) -> Detectors:
    train = _files(plant, 0, TRAIN_FILES, TRAIN_ROWS)
    blocks = [part.values for part in train]
    method = config.patchtst.data.normalization
    profile = fit_profile("patchtst", plant.names, blocks, method, (1.0, 1.0)).profile
    view = View(profile, cut_of(config, profile.stream, profile))
    encoder = None
    if network:
        with tempfile.TemporaryDirectory() as folder:
            encoder = train_on(train, profile, NetworkRecipe.of(config), seed, Path(folder), Quiet())
    return Detectors.fit(train, view, encoder, config.anomaly.seed)


def _apart(detectors: Detectors, part: Segment, name: str) -> np.ndarray:
    """Return the scores of windows that do not overlap. The first window judges rows of its own, later ones
    only those since the one before, so it is left out.
    """
    step = -(-detectors.view.cut.rows // detectors.view.cut.stride)
    return detectors.score(part, [name])[name][step::step]


def _share(values: np.ndarray) -> str:
    return f"{values.mean():.2%} ± {values.std(ddof=1):.2%}"
