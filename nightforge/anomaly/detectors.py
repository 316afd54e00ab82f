"""Every detector behind one path: fit on normal segments, score segments, come back from plain arrays.

| name      | sensor tables                                | vibration                              |
|-----------|----------------------------------------------|----------------------------------------|
| pca       | T2 + Q on lagged rows                        | T2 + Q on classic features             |
| iforest   | isolation forest on lagged rows              | isolation forest on classic features   |
| features  | Ledoit-Wolf Mahalanobis on lagged rows       | the same on classic features           |
| patchtst  | Ledoit-Wolf Mahalanobis on the embedding     |                                        |
| swin-mim  |                                              | Ledoit-Wolf Mahalanobis on the embedding |
| fused     | Fisher's sum over FUSED_MEMBERS              | the same                               |

Letters: n windows, m samples, d numbers per sample or embedding, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.forest import Forest
from nightforge.anomaly.fusion import Reference, held_out_scores
from nightforge.anomaly.mahalanobis import MAX_COMPONENTS, Mahalanobis
from nightforge.anomaly.pca import Pca
from nightforge.anomaly.recording import Profile, Segment
from nightforge.anomaly.views import Samples, View
from nightforge.core.errors import InputError

Floats = NDArray[np.float64]
NEURAL = {"patchtst": "patchtst", "swinmae": "swin-mim"}  # stream -> its neural detector
TRAINED_BY = {"patchtst": "22_train_patchtst.py", "swinmae": "23_train_swin_mim.py"}
CLASSIC = ("pca", "iforest", "features")
FUSED_MEMBERS = {"patchtst": ("pca", "features", "patchtst"), "swinmae": ("features", "swin-mim")}
LEAST_WINDOWS = 20  # to fit anything on
_FIT_WINDOWS = 4096  # evenly spread; more would cost time and change nothing
_FIT_NUMBERS = 2**25  # largest training matrix: 256 MB


class Encoder(Protocol):
    """A trained network with its parameters frozen; PatchTST and Swin give one each."""

    @property
    def stream(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def rows(self) -> int: ...
    def embed(self, windows: NDArray[np.float32]) -> Floats: ...
    def attribute(self, windows: NDArray[np.float32]) -> Floats: ...


def needs_network(detector: str) -> bool:
    """Tell whether a detector cannot do without a trained encoder."""
    return detector not in CLASSIC


@dataclass(frozen=True)
class Detectors:
    """All detectors of one stream, fitted. `standard`: (2, d) mean and deviation of the samples (vibration
    only; sensor rows are scaled by the profile). `references`: held-out normal scores of fused's members.
    """

    view: View
    encoder: Encoder | None
    standard: Floats
    models: dict[str, Pca | Forest | Mahalanobis]
    references: dict[str, Reference] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The detectors that can score; the fused one only with a network."""
        return (*self.models, "fused") if self.references else tuple(self.models)

    @classmethod
    def fit(cls, segments: Sequence[Segment], view: View, encoder: Encoder | None, seed: int) -> Detectors:
        """Fit on normal segments. Raises InputError for too few windows or an encoder of other windows."""
        if encoder is not None:
            _check_encoder(view, encoder)
        samples, embeddings = _training_matrices(segments, view, encoder)
        mean, spread = samples.matrix.mean(axis=0), samples.matrix.std(axis=0)
        floor = 1e-6 * np.maximum(np.abs(mean), 1.0)
        standard = np.stack([mean, np.maximum(spread, floor)])
        matrix = (samples.matrix - standard[0]) / standard[1] if not view.is_table else samples.matrix
        models: dict[str, Pca | Forest | Mahalanobis] = {
            "pca": Pca.fit(matrix),
            "iforest": Forest.fit(matrix, seed),
            "features": Mahalanobis.fit(_recent(view, matrix)),
        }
        if embeddings is None:
            return cls(view, None, standard, models)
        neural = NEURAL[view.profile.stream]
        models[neural] = Mahalanobis.fit(embeddings)
        neighbours = -(-view.cut.rows // view.cut.stride)
        near = view.cut.rows if view.is_table else neighbours
        inputs: dict[str, tuple[Floats, NDArray[np.int64], int, Any]] = {
            "pca": (matrix, samples.bounds, near, Pca.fit),
            "features": (_recent(view, matrix), samples.bounds, near, Mahalanobis.fit),
            neural: (embeddings, np.arange(len(embeddings)), neighbours, Mahalanobis.fit),
        }
        members = FUSED_MEMBERS[view.profile.stream]
        references = {name: Reference.of(held_out_scores(*inputs[name])) for name in members}
        return cls(view, encoder, standard, models, references)

    def score(self, segment: Segment, names: Sequence[str]) -> dict[str, Floats]:
        """Score every window of a segment, last rows first judged: detector -> (n,). No random numbers."""
        starts = self.view.starts(segment)
        scores = {name: np.empty(len(starts)) for name in names}
        wanted = set(names)
        if "fused" in wanted:
            wanted |= set(FUSED_MEMBERS[self.view.profile.stream])
        for chosen in self.view.chunks(len(starts)):
            found = self._score_chunk(segment, starts, chosen, wanted)
            for name in names:
                scores[name][chosen] = found[name]
        return scores

    def _score_chunk(
        self, segment: Segment, starts: NDArray[np.int64], chosen: NDArray[np.int64], wanted: set[str]
    ) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        if wanted & set(CLASSIC):
            samples = self.view.samples(segment, starts, chosen)
            matrix = self.standardized(samples.matrix)
            for name in CLASSIC:
                if name in wanted:
                    member = _recent(self.view, matrix) if name == "features" else matrix
                    found[name] = np.maximum.reduceat(self.models[name].score(member), samples.bounds)
        neural = NEURAL[self.view.profile.stream]
        if neural in wanted:
            assert self.encoder is not None
            found[neural] = self.models[neural].score(
                self.encoder.embed(self.view.windows(segment, starts[chosen]))
            )
        if "fused" in wanted:
            found["fused"] = sum(
                (reference.surprise(found[name]) for name, reference in self.references.items()),
                start=np.zeros(len(chosen)),
            )
        return found

    def standardized(self, matrix: Floats) -> Floats:
        """Return samples as the models take them: (m, d) -> (m, d)."""
        return matrix if self.view.is_table else (matrix - self.standard[0]) / self.standard[1]

    def recent(self, matrix: Floats) -> Floats:
        """Return the columns that `features` sees of standardized samples."""
        return _recent(self.view, matrix)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything fitted as plain arrays, named `<detector>.<part>`."""
        result: dict[str, NDArray[Any]] = {"standard": self.standard}
        for name, model in self.models.items():
            result |= {f"{name}.{key}": value for key, value in model.state().items()}
        for name, reference in self.references.items():
            result[f"{name}.reference"] = reference.scores
        return result

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], view: View, encoder: Encoder | None) -> Detectors:
        """Undo `arrays`."""
        kinds: dict[str, type[Pca | Forest | Mahalanobis]] = {"pca": Pca, "iforest": Forest}
        models: dict[str, Pca | Forest | Mahalanobis] = {}
        for name in (*CLASSIC, NEURAL[view.profile.stream]):
            state = {
                key.partition(".")[2]: value
                for key, value in arrays.items()
                if key.startswith(f"{name}.") and not key.endswith(".reference")
            }
            if state:
                models[name] = kinds.get(name, Mahalanobis).from_state(state)
        references = {
            name: Reference(arrays[f"{name}.reference"])
            for name in FUSED_MEMBERS[view.profile.stream]
            if f"{name}.reference" in arrays
        }
        return cls(view, encoder, arrays["standard"], models, references)


def _check_encoder(view: View, encoder: Encoder) -> None:
    if encoder.rows != view.cut.rows:
        raise InputError(
            f"the {encoder.name} model takes windows of {encoder.rows} rows, the settings say "
            f"{view.cut.rows}; train it again with these settings",
            next_command=f"python scripts/{TRAINED_BY[view.profile.stream]}",
        )
    if encoder.profile.hash != view.profile.hash:
        raise InputError(
            f"the {encoder.name} model was trained with another channel profile than the prepared data has",
            next_command=f"python scripts/{TRAINED_BY[view.profile.stream]}",
        )


def _recent(view: View, matrix: Floats) -> Floats:
    """Of sensor tables, as many of the latest lags as keep every component of the covariance."""
    if not view.is_table:
        return matrix
    channels = len(view.active)
    lags = max(1, min(view.cut.lags, MAX_COMPONENTS // channels))
    return np.ascontiguousarray(matrix[:, -lags * channels :])


def _training_matrices(
    segments: Sequence[Segment], view: View, encoder: Encoder | None
) -> tuple[Samples, Floats | None]:
    """Return samples and embeddings of the training windows, of every k-th where there are very many."""
    counts = [len(view.starts(segment)) for segment in segments]
    total = sum(counts)
    if total < LEAST_WINDOWS:
        raise InputError(
            f"the training part holds {total} windows of {view.cut.rows} rows; detectors need at least "
            f"{LEAST_WINDOWS}: bring more data or make the window shorter"
        )
    numbers = len(view.channel_of()) * (view.cut.stride if view.is_table else 1)
    every = max(1, -(-total // _FIT_WINDOWS), -(-total * numbers // _FIT_NUMBERS))
    matrices: list[Samples] = []
    embeddings: list[Floats] = []
    seen = 0
    for segment, count in zip(segments, counts, strict=True):
        starts = view.starts(segment)
        for part in view.chunks(count):
            chosen = part[(seen + part) % every == 0]
            if len(chosen):
                matrices.append(view.samples(segment, starts, chosen))
                if encoder is not None:
                    embeddings.append(encoder.embed(view.windows(segment, starts[chosen])))
        seen += count
    offsets = np.cumsum([0, *(len(part.matrix) for part in matrices[:-1])])
    joined = Samples(
        np.concatenate([part.matrix for part in matrices]),
        np.concatenate([part.bounds + offset for part, offset in zip(matrices, offsets, strict=True)]),
    )
    return joined, np.concatenate(embeddings) if encoder is not None else None
