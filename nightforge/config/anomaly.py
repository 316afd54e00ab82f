"""Settings of the anomaly track: `patchtst` (sensor tables), `swinmae` (vibration), `anomaly` (decisions).

The key names of the two streams are those of the original project, so its settings carry over; values are
our own. Where a run keeps its files is fixed and no setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]
Index = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Globs = tuple[str, ...] | str


def doc(text: str) -> Meta:
    """Attach the sentence that docs/config.md prints for a setting."""
    return Meta(description=text)


class Device(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a stream is trained."""

    prefer_cuda: Annotated[bool, doc("use the GPU where there is one")] = True
    amp: Annotated[bool, doc("bfloat16 arithmetic in training on a GPU; scoring is always float32")] = True


class SensorData(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sensor tables: which files, and how each is divided in time."""

    source: Annotated[
        Literal["auto", "synthetic", "csv", "parquet"],
        doc("kind of files; auto: the files `path` finds, else the seeded generator, which is said aloud"),
    ] = "auto"
    path: Annotated[
        Globs, doc("training files: one glob or a list, `**` allowed, from the project folder; zip files too")
    ] = "data/local/train/fdc/*"
    test_path: Annotated[
        Globs, doc("files to be judged; none found: the test part of the training files")
    ] = "data/local/test/fdc/*"
    timestamp_col: Annotated[
        str | None, doc("timestamp column, taken exactly; null: `timestamp`, `time` or `datetime`, any case")
    ] = None
    ignore_columns: Annotated[
        tuple[str, ...], doc("columns that are no channels, such as labels of what is to be found; any case")
    ] = ("anomaly", "changepoint", "label")
    channels: Annotated[Count, doc("channels of the generator")] = 8
    total_steps: Annotated[Count, doc("rows of the generator per file")] = 8000
    train_ratio: Annotated[Positive, doc("share of each file's rows, the first, to train on")] = 0.6
    val_ratio: Annotated[NotNegative, doc("share after it that decides when training stops")] = 0.1
    calibrate_ratio: Annotated[
        NotNegative, doc("share after it that thresholds come from; the rest is the test part")
    ] = 0.15
    seq_len: Annotated[Count, doc("window, rows; a multiple of model.patch_len")] = 32
    seq_stride: Annotated[Count, doc("rows from one judged window to the next")] = 4
    normalization: Annotated[
        Literal["robust", "zscore"], doc("median and interquartile range, or mean and standard deviation")
    ] = "robust"


class Resample(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens to a vibration file of another sampling rate."""

    enabled: Annotated[
        bool, doc("convert to `fs` with an anti-alias filter; false: another rate is an error")
    ] = False
    method: Annotated[Literal["polyphase"], doc("how")] = "polyphase"


class VibrationData(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Vibration recordings: three axes, evenly sampled."""

    source: Annotated[
        Literal["auto", "synthetic", "csv", "npy"],
        doc("kind of files; auto: the files `path` finds, else the seeded generator, which is said aloud"),
    ] = "auto"
    path: Annotated[
        Globs, doc("training files: one glob or a list, `**` allowed, from the project folder; zip files too")
    ] = "data/local/train/vib/*"
    test_path: Annotated[
        Globs, doc("files to be judged; none found: the test part of the training files")
    ] = "data/local/test/vib/*"
    timestamp_col: Annotated[
        str | None, doc("timestamp column, taken exactly; null: `timestamp`, `time` or `datetime`, any case")
    ] = None
    fs: Annotated[Positive, doc("sampling rate the model works at, Hz")] = 2000.0
    assume_actual_fs_equals_config: Annotated[
        bool, doc("a file that does not tell its rate is taken to have `fs`; false: it is refused")
    ] = True
    actual_fs: Annotated[Positive | None, doc("sampling rate of all files, Hz; null: estimated per file")] = (
        None
    )
    actual_fs_by_file: Annotated[
        dict[str, float], doc("sampling rate of single files by name or path, Hz")
    ] = {}
    resample: Resample = msgspec.field(default_factory=Resample)
    total_steps: Annotated[Count, doc("samples of the generator, all training files together")] = 480000
    train_ratio: Annotated[Positive, doc("share of the recordings, the first, to train on")] = 0.5
    val_ratio: Annotated[NotNegative, doc("share after it that decides when training stops")] = 0.1
    calibrate_ratio: Annotated[
        NotNegative, doc("share after it that thresholds come from; the rest is the test part")
    ] = 0.25
    win_sec: Annotated[Positive, doc("window, seconds")] = 0.5
    win_stride_sec: Annotated[Positive, doc("seconds from one judged window to the next")] = 0.25


class SensorFail(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What makes a sensor file unusable."""

    require_timestamp: Annotated[bool, doc("a file without timestamps is dropped")] = False
    invalid_timestamp: Annotated[
        bool,
        doc("a file is dropped when more than warn.missing_ratio of its timestamps are unreadable"),
    ] = True
    max_missing_ratio: Annotated[Share, doc("largest share of missing values")] = 0.5


class SensorWarn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is worth a warning in a sensor file."""

    missing_ratio: Annotated[Share, doc("share of missing values")] = 0.05
    stuck_std: Annotated[NotNegative, doc("standard deviation at or below which a channel is stuck")] = 1e-8
    jump_ratio: Annotated[Share, doc("share of steps beyond jump_mad of the training data's own steps")] = 0.2
    jump_mad: Annotated[Positive, doc("a jump: a step this many median absolute deviations of steps")] = 10.0


class SensorQuality(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Data quality of sensor tables."""

    enabled: Annotated[bool, doc("check files; false: only what cannot be read is dropped")] = True
    allow_sort_fix: Annotated[
        bool, doc("sort rows by time and drop repeated stamps; false: such a file is dropped")
    ] = False
    drop_channels: Annotated[
        bool, doc("leave out channels no training file measures; false: they end the check")
    ] = True
    hard_fail: SensorFail = msgspec.field(default_factory=SensorFail)
    warn: SensorWarn = msgspec.field(default_factory=SensorWarn)


class VibrationFail(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What makes a vibration file unusable."""

    max_missing_ratio: Annotated[Share, doc("largest share of missing samples")] = 0.5
    fs_tol: Annotated[Share, doc("largest relative difference between a file's rate and `fs`")] = 0.01
    missing_fs: Annotated[bool, doc("a file whose rate is unknown is dropped")] = False


class VibrationWarn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is worth a warning in a vibration file."""

    missing_ratio: Annotated[Share, doc("share of missing samples")] = 0.05
    clipping_ratio: Annotated[Share, doc("share of samples at the axis's own extremes, repeated")] = 0.05
    flat_eps: Annotated[NotNegative, doc("step at or below which the signal stands still")] = 1e-6
    flat_ratio: Annotated[Share, doc("share of such steps")] = 0.3
    rms_min: Annotated[NotNegative, doc("smallest plausible root mean square")] = 1e-6
    rms_max: Annotated[Positive, doc("largest plausible root mean square")] = 1e6


class VibrationQuality(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Data quality of vibration recordings."""

    enabled: Annotated[bool, doc("check files; false: only what cannot be read is dropped")] = True
    allow_sort_fix: Annotated[
        bool, doc("sort rows by time and drop repeated stamps; false: such a file is dropped")
    ] = False
    hard_fail: VibrationFail = msgspec.field(default_factory=VibrationFail)
    warn: VibrationWarn = msgspec.field(default_factory=VibrationWarn)


class SensorModel(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """PatchTST: patches of each channel are hidden and rebuilt."""

    patch_len: Annotated[Count, doc("patch, rows")] = 4
    patch_stride: Annotated[Count, doc("rows from one patch to the next")] = 4
    mask_ratio: Annotated[Positive, doc("share of the patches hidden in training")] = 0.4
    d_model: Annotated[Count, doc("width")] = 48
    nhead: Annotated[Count, doc("attention heads; must divide d_model")] = 4
    num_layers: Annotated[Count, doc("encoder layers")] = 2
    ff_dim: Annotated[Count, doc("width of the feed-forward layers")] = 96
    dropout: Annotated[Share, doc("dropout in training")] = 0.0


class Transform(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From a waveform to an image of time and frequency."""

    backend: Annotated[
        Literal["stft", "morlet"],
        doc("logarithmic bands of a short-time Fourier transform, or complex Morlet"),
    ] = "stft"
    freq_min: Annotated[
        Positive | None, doc("lowest frequency, Hz, at least 4 periods per window; null: the lowest allowed")
    ] = None
    freq_max: Annotated[
        Positive | None, doc("highest frequency, Hz, at most 0.4 of the rate; null: the highest allowed")
    ] = None
    n_freqs: Annotated[Count, doc("frequency bands, evenly spaced on a logarithmic scale")] = 64
    log_mag: Annotated[bool, doc("take the logarithm of the magnitude")] = True
    normalize: Annotated[
        Literal["train"], doc("mean and deviation per axis and band, fitted on normal training windows")
    ] = "train"


class Image(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The image a vibration window becomes."""

    size: Annotated[Count, doc("pixels of its side")] = 32


class VibrationModel(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Swin masked-image model: square blocks of the image are hidden and rebuilt."""

    mask_ratio: Annotated[Positive, doc("share of the blocks hidden in training")] = 0.6
    patch_size: Annotated[Count, doc("side of a hidden block, pixels")] = 4
    embed_dim: Annotated[Count, doc("width of the first stage")] = 24
    depths: Annotated[tuple[Count, ...], doc("layers per stage")] = (2, 2)
    num_heads: Annotated[tuple[Count, ...], doc("attention heads per stage")] = (2, 4)
    window_size: Annotated[Count, doc("side of an attention window, patches of 4 pixels")] = 4


# shared by the two streams, each of which has defaults of its own
Epochs = Annotated[Count, doc("passes over the training windows at most")]
Steps = Annotated[Index, doc("optimizer steps at most; 0: epochs decide")]
BatchSize = Annotated[Count, doc("windows per step")]
Rate = Annotated[Positive, doc("learning rate after the warm-up")]
Schedule = Annotated[
    Literal["cosine", "constant"], doc("after the warm-up it falls to 0 on a cosine, or stays")
]
EvalSteps = Annotated[Count, doc("steps between losses on the validation part, with fixed masks")]
SaveSteps = Annotated[Count, doc("steps between checkpoints")]


class AnomalyTraining(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A self-supervised training loop."""

    epochs: Epochs = 10
    max_steps: Steps = 1600
    batch_size: BatchSize = 64
    lr: Rate = 1e-3
    lr_scheduler: Schedule = "cosine"
    weight_decay: Annotated[NotNegative, doc("AdamW weight decay")] = 1e-4
    warmup_steps: Annotated[Index, doc("steps of linear warm-up")] = 50
    max_grad_norm: Annotated[Positive, doc("gradient clipping norm")] = 1.0
    eval_steps: EvalSteps = 100
    save_steps: SaveSteps = 200
    patience: Annotated[
        Index, doc("validation losses without a better one until training stops early; 0: never")
    ] = 0
    num_workers: Annotated[Index, doc("processes that prepare batches")] = 0


class SensorTraining(AnomalyTraining, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The training loop of PatchTST."""

    epochs: Epochs = 40
    lr_scheduler: Schedule = "constant"


class VibrationTraining(AnomalyTraining, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The training loop of the Swin masked-image model."""

    epochs: Epochs = 1000
    max_steps: Steps = 1500
    batch_size: BatchSize = 32
    lr: Rate = 2e-3
    eval_steps: EvalSteps = 250
    save_steps: SaveSteps = 250


class PatchTst(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sensor tables: stage 22 trains PatchTST on them."""

    enabled: Annotated[bool, doc("this stream takes part in `--pipeline anomaly`")] = True
    seed: Annotated[Index, doc("seed of weights, masks and order")] = 42
    deterministic: Annotated[bool, doc("only deterministic kernels, also on a GPU")] = False
    device: Device = msgspec.field(default_factory=Device)
    data: SensorData = msgspec.field(default_factory=SensorData)
    dqvl: SensorQuality = msgspec.field(default_factory=SensorQuality)
    model: SensorModel = msgspec.field(default_factory=SensorModel)
    training: SensorTraining = msgspec.field(default_factory=SensorTraining)


class SwinMae(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Vibration: stage 23 trains a Swin masked-image model on it."""

    enabled: Annotated[bool, doc("this stream takes part in `--pipeline anomaly`")] = True
    seed: Annotated[Index, doc("seed of weights, masks and order")] = 42
    deterministic: Annotated[bool, doc("only deterministic kernels, also on a GPU")] = False
    device: Device = msgspec.field(default_factory=Device)
    data: VibrationData = msgspec.field(default_factory=VibrationData)
    dqvl: VibrationQuality = msgspec.field(default_factory=VibrationQuality)
    cwt: Transform = msgspec.field(default_factory=Transform)
    image: Image = msgspec.field(default_factory=Image)
    model: VibrationModel = msgspec.field(default_factory=VibrationModel)
    training: VibrationTraining = msgspec.field(default_factory=VibrationTraining)


class Events(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From judged windows to events."""

    open_windows: Annotated[Count, doc("anomalous windows that open an event ...")] = 1
    of_windows: Annotated[Count, doc("... among this many in a row")] = 1
    min_duration_s: Annotated[
        NotNegative, doc("shortest event, seconds of data time (rows where a file has no timestamps)")
    ] = 0.0
    merge_gap_s: Annotated[NotNegative, doc("events closer than this become one, seconds or rows")] = 0.0


class Anomaly(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Detectors, thresholds and decisions of both streams."""

    patchtst_detector: Annotated[
        Literal["pca", "iforest", "features", "patchtst", "fused"],
        doc("detector that decides on sensor tables"),
    ] = "fused"
    swinmae_detector: Annotated[
        Literal["pca", "iforest", "features", "swin-mim", "fused"], doc("detector that decides on vibration")
    ] = "fused"
    lags: Annotated[
        Count, doc("rows that the classic detectors of sensor tables see together, at most a window's")
    ] = 32
    lag_clip: Annotated[
        Positive,
        doc("scaled values in lagged rows are cut at this many scales, so that no channel outvotes the rest"),
    ] = 5.0
    clip: Annotated[Positive, doc("scaled values are cut at this many scales before the network")] = 20.0
    alpha_warn: Annotated[Positive, doc("share of normal windows that may be called warn or worse")] = 0.05
    alpha_anomaly: Annotated[Positive, doc("share of normal windows that may be called anomaly")] = 0.01
    events: Events = msgspec.field(default_factory=Events)
    seed: Annotated[Index, doc("seed of the isolation forest and of the generators")] = 7
    bundle: Annotated[bool, doc("26 packs the run's models and results into one archive and checks it")] = (
        True
    )
    history_limit: Annotated[Count, doc("runs kept in the history of the page")] = 20


def anomaly_contradictions(patchtst: PatchTst, swinmae: SwinMae, anomaly: Anomaly) -> list[str]:
    """Return what cannot be true together, each as a sentence naming the keys and a way out."""
    found: list[str] = []
    data, model = patchtst.data, patchtst.model
    if data.seq_len % model.patch_len or (data.seq_len - model.patch_len) % model.patch_stride:
        found.append(
            f"patchtst.data.seq_len {data.seq_len} must be a multiple of patchtst.model.patch_len "
            f"{model.patch_len} and leave no rest with patch_stride {model.patch_stride}"
        )
    if model.d_model % model.nhead:
        found.append(f"patchtst.model.nhead {model.nhead} must divide d_model {model.d_model}")
    for name, part in (("patchtst", patchtst.data), ("swinmae", swinmae.data)):
        used = part.train_ratio + part.val_ratio + part.calibrate_ratio
        if used > 1.0 + 1e-9:
            found.append(f"{name}.data: train_ratio, val_ratio and calibrate_ratio sum to {used:g}, above 1")
    if anomaly.lags > data.seq_len:
        found.append(f"anomaly.lags {anomaly.lags} cannot be more than patchtst.data.seq_len {data.seq_len}")
    if data.seq_stride > data.seq_len:
        found.append(
            f"patchtst.data.seq_stride {data.seq_stride} is longer than seq_len {data.seq_len}; the rows "
            "between two windows would never be judged"
        )
    found += _swin_contradictions(swinmae)
    if anomaly.alpha_anomaly >= anomaly.alpha_warn:
        found.append("anomaly.alpha_anomaly must be below anomaly.alpha_warn")
    if anomaly.events.open_windows > anomaly.events.of_windows:
        found.append("anomaly.events.open_windows cannot be more than of_windows")
    if not (patchtst.enabled or swinmae.enabled):
        found.append("patchtst.enabled and swinmae.enabled are both false; the track would do nothing")
    return found


def _swin_contradictions(swinmae: SwinMae) -> list[str]:
    found: list[str] = []
    if swinmae.data.win_stride_sec > swinmae.data.win_sec:
        found.append(
            "swinmae.data.win_stride_sec is longer than win_sec; the samples between two windows would "
            "never be judged"
        )
    stages = len(swinmae.model.depths)
    if len(swinmae.model.num_heads) != stages:
        found.append("swinmae.model.depths and num_heads must have one entry per stage each")
    last = swinmae.image.size / 4 / 2 ** (stages - 1)
    if last != int(last) or last < swinmae.model.window_size:
        found.append(
            f"swinmae.image.size {swinmae.image.size} with {stages} stages ends in a map of {last:g}, below "
            f"swinmae.model.window_size {swinmae.model.window_size}; use fewer stages or a larger image"
        )
    if swinmae.model.patch_size % 4 or swinmae.image.size % swinmae.model.patch_size:
        found.append(
            f"swinmae.model.patch_size {swinmae.model.patch_size} must be a multiple of 4 and divide "
            f"swinmae.image.size {swinmae.image.size}"
        )
    return found
