"""How many bytes a run will write, by place: a prediction from the configuration and from what earlier runs
really wrote. Pure functions, no torch. # ops Q1

Sizes follow from shapes: an adapter matrix pair of rank r between widths m and n has r (m + n) numbers of 4
bytes; the optimizer keeps 2 to 8 bytes for each of them that learns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from nightforge.config import Config
from nightforge.pipeline.plan import Plan

MB = 2**20
# Bytes the optimizer keeps per trained number: AdamW two float32 moments, in 8-bit two bytes, Muon one.
_OPTIMIZER = {"adamw_torch": 8, "adamw_8bit": 2, "paged_adamw_8bit": 2, "muon": 4}
_CHECKPOINT_EXTRA = 96 * 2**10  # trainer state, scheduler, generators' states, adapter_config, manifest
_ROW_BYTES = 2_000  # of all data files together, per generated row; measured 1,460
_RESULTS = 32 * MB  # exams, evaluations, reports, hub data
_TEMPORARY = 32 * MB
_RECORDS = 8 * MB  # journal, events, state, attempts' records of a run
_PREPARED = 8  # prepared rows, generated files and images per byte of the user's own; measured 2 to 6
_DETECTORS = 32 * MB  # fitted detectors of both streams: matrices and the forest's training rows
_GENERATED = 24 * MB  # what the generators write without any file of the user's
_FILES_PER_STAGE, _FILES_PER_CHECKPOINT, _FILES_BESIDES = 8, 12, 200


class Shape(NamedTuple):
    """Widths of a decoder: hidden, feed-forward, all key or value heads together; layers; vocabulary."""

    hidden: int
    intermediate: int
    kv_width: int
    layers: int
    vocab: int

    @property
    def parameters(self) -> int:
        """Return the number of weights, input and output embedding apart."""
        attention = self.hidden * (2 * self.hidden + 2 * self.kv_width)
        return 2 * self.vocab * self.hidden + self.layers * (attention + 3 * self.hidden * self.intermediate)


class Facts(NamedTuple):
    """What is known beside the configuration; sizes in bytes, None: not known."""

    shape: Shape
    base_bytes: int = 0  # of the base model that is still to be made or fetched
    adapter_bytes: int | None = None  # of the newest adapter, if it was trained with these settings
    checkpoint_bytes: int | None = None  # of the last checkpoint of such a training
    checkpoints_there: int = 0  # bytes of checkpoints that are on the disk already
    data_bytes: int | None = None  # of data/ as the last run left it
    backup_bytes: int | None = None  # what the last run's snapshots added to the store
    backup_files: int = 0  # files in the newest snapshot
    reserve_missing: int = 0  # of the reserve file; what is there has been paid for
    logs_there: int = 0  # bytes of all stage logs, counted by the cap of all logs
    raw_bytes: int = 0  # of the files that the streams of the anomaly track read


class Need(NamedTuple):
    """What one place needs: a path of the project or a name, bytes by part, number of new files."""

    place: str
    parts: Mapping[str, int]
    files: int

    @property
    def bytes(self) -> int:
        return sum(self.parts.values())


def adapter_numbers(shape: Shape, config: Config) -> int:
    """Count the saved numbers: adapter matrices, and layers that are trained in full."""
    rank = config.lora.lora_r
    per_layer = sum(rank * (inward + outward) for inward, outward in _layers(shape, config))
    return shape.layers * per_layer + len(config.lora.modules_to_save) * shape.vocab * shape.hidden


def trained_numbers(shape: Shape, config: Config) -> int:
    """Count the saved numbers that learn: a square factor of an adapter does not."""
    square = sum(config.lora.lora_r in layer for layer in _layers(shape, config))
    return adapter_numbers(shape, config) - shape.layers * square * config.lora.lora_r**2


def _layers(shape: Shape, config: Config) -> list[tuple[int, int]]:
    """List inputs and outputs of one block's adapted layers; one of another name is taken for a square one of
    the model's width.
    """
    h, kv, inner = shape.hidden, shape.kv_width, shape.intermediate
    sides = {
        "k_proj": (h, kv),
        "v_proj": (h, kv),
        "gate_proj": (h, inner),
        "up_proj": (h, inner),
        "down_proj": (inner, h),
    }
    return [sides.get(name, (h, h)) for name in config.lora.target_modules]


def adapter_bytes(shape: Shape, config: Config) -> int:
    """Return the size of a saved adapter with its tokenizer; tokenizers take some 30 bytes per token."""
    return 4 * adapter_numbers(shape, config) + 34 * shape.vocab + 32 * 2**10


def checkpoint_bytes(shape: Shape, config: Config) -> int:
    """Return the size of one training checkpoint: adapter and optimizer state, without tokenizer."""
    optimizer = _OPTIMIZER[config.training.optimizer] * trained_numbers(shape, config)
    return 4 * adapter_numbers(shape, config) + optimizer + _CHECKPOINT_EXTRA


def shape_from_name(name: str) -> Shape:
    """Guess the shape of a model from the size in its name, such as `Llama-3.1-8B`; 8 billion without one.

    Decoders have about 12 layers x width^2 weights and a width of about 110 x layers.
    """
    found = re.search(r"(\d+(?:\.\d+)?)\s*([bm])(?![a-z])", name.lower())
    count = float(found[1]) * (1e9 if found[2] == "b" else 1e6) if found else 8e9
    hidden = max(64, round((count * 110 / 12) ** (1 / 3)))
    return Shape(hidden, int(3.5 * hidden), hidden // 4, max(2, round(hidden / 110)), 128_256)


def shape_from_config(value: Mapping[str, Any]) -> Shape | None:
    """Read the shape from a model's config.json; None when it does not tell."""
    try:
        hidden, heads = int(value["hidden_size"]), int(value["num_attention_heads"])
        head = int(value.get("head_dim") or hidden // heads)
        return Shape(
            hidden,
            int(value.get("intermediate_size") or 4 * hidden),
            head * int(value.get("num_key_value_heads") or heads),
            int(value["num_hidden_layers"]),
            int(value["vocab_size"]),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def predict(config: Config, plan: Plan, facts: Facts) -> tuple[Need, ...]:
    """Return what a run of this plan needs at each place: project, model cache, temporary folder, mirror."""
    if not plan.language_model:
        return _predict_streams(config, plan, facts)
    numbers = {stage.number for stage in plan.stages}
    trains, backs_up = "04" in numbers, "16" in numbers and config.backup.enabled
    adapter = facts.adapter_bytes or adapter_bytes(facts.shape, config)
    checkpoint = facts.checkpoint_bytes or checkpoint_bytes(facts.shape, config)
    kept = config.training.keep_checkpoints + 1  # and the one in flight
    rows = _ROW_BYTES * config.synthetic.count
    data = max(rows, facts.data_bytes or 0) if "03" in numbers or "20" in numbers else 0
    base = facts.base_bytes if "00" in numbers else 0
    growth = facts.backup_bytes
    if growth is None:
        growth = adapter + data + _RESULTS
    checkpoints = max(0, kept * checkpoint - facts.checkpoints_there) if trains else 0
    project = {
        "checkpoints": checkpoints,
        "adapter": adapter if trains else 0,
        "base model": 0 if config.model.source == "hub" else base,
        "data and results": data + _RESULTS,
    }
    needs = _everywhere(config, plan, facts, project, growth if backs_up else 0)
    if config.model.source == "hub" and base:
        needs.append(Need("model cache", {"base model": base}, 100))
    return tuple(needs)


def _predict_streams(config: Config, plan: Plan, facts: Facts) -> tuple[Need, ...]:
    """Return what a run of the anomaly track needs: copies of the data, and models that are small."""
    numbers = {stage.number for stage in plan.stages}
    kept = config.training.keep_checkpoints + 1
    models = stream_checkpoint_bytes(config) + _DETECTORS
    project = {
        "prepared data": _GENERATED + _PREPARED * facts.raw_bytes if "21" in numbers else 0,
        "checkpoints": kept * stream_checkpoint_bytes(config) if numbers & {"22", "23"} else 0,
        "models": models if numbers & {"22", "23", "24"} else 0,
        "results": _RESULTS,
    }
    backs_up = "16" in numbers and config.backup.enabled
    return tuple(_everywhere(config, plan, facts, project, models + _RESULTS if backs_up else 0))


def stream_checkpoint_bytes(config: Config) -> int:
    """Return the size of a checkpoint of both streams' models: weights and AdamW's two moments, float32.

    A transformer layer of width d and feed-forward width f has about 4 d^2 + 2 d f weights.
    """
    sensor, vibration = config.patchtst.model, config.swinmae.model
    numbers = sensor.num_layers * (4 * sensor.d_model**2 + 2 * sensor.d_model * sensor.ff_dim)
    for stage, depth in enumerate(vibration.depths):
        numbers += 12 * depth * (vibration.embed_dim * 2**stage) ** 2  # f is 4 d, patches merged on top
    return 3 * 4 * 2 * numbers + MB


def _everywhere(
    config: Config, plan: Plan, facts: Facts, project: dict[str, int], backups: int
) -> list[Need]:
    """Add what every run writes: logs, reserve, temporary files, snapshots and their mirror."""
    stage_logs = len(plan.stages) * config.disk.stage_log_mb * MB
    logs = max(0, min(stage_logs, config.disk.all_logs_mb * MB - facts.logs_there))
    kept = config.training.keep_checkpoints + 1
    project = {**project, "logs": logs + _RECORDS, "reserve": facts.reserve_missing}
    files = _FILES_BESIDES + _FILES_PER_STAGE * len(plan.stages) + _FILES_PER_CHECKPOINT * kept
    needs = [
        Need("project", _positive(project), files),
        Need("temporary folder", {"temporary files": _TEMPORARY}, 100),
    ]
    snapshots = sum(stage.number == "16" for stage in plan.stages)
    if backups:
        places = ("backups", "mirror") if config.backup.mirror else ("backups",)
        count = snapshots * (facts.backup_files + 40)
        needs += [Need(place, {"backups": backups}, count) for place in places]
    return needs


def _positive(parts: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in parts.items() if size > 0}
