"""Stage 04: train a LoRA adapter on the merged rows and save it as the next version.

A row is refused when it does not fit into `model.max_seq_length`: a cut answer teaches a model to stop half-
way (facts W-4). Checkpoints live outside the run, keyed by what is trained on what, so any later start finds
them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from nightforge.blueprint.prompt import configured_prompt
from nightforge.blueprint.rows import Row, read_rows
from nightforge.config import Config
from nightforge.config.rungs import eval_batch, training_on_rung
from nightforge.core import versions
from nightforge.core.atomic import sha256_file, sha256_text, write_json, write_text
from nightforge.core.clock import utc_now
from nightforge.core.errors import GateError, InputError, NothingNewError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.room import MB, Reserve
from nightforge.ml.adapters import add_adapter, count_trainable
from nightforge.ml.chat import Example, encode_example
from nightforge.ml.checkpoints import seal
from nightforge.ml.fitting import Fitted, Plan, fit
from nightforge.ml.loading import Loaded, load
from nightforge.ml.sources import find_source

_DATA_COMMAND = "python scripts/20_deduplicate_dataset.py"
_TOO_LONG_LIMIT = 0.05  # share of rows that may be left out for their length before the data must change
# settings that change what is shown or kept, not what is learnt # ops C7
_HARMLESS = {"logging_steps", "save_steps", "eval_steps", "eval_rows", "keep_checkpoints"}


@dataclass(frozen=True)
class Identity:
    """What a training depends on: 16 hex digits each of rows and of everything else."""

    data_hash: str
    config_hash: str


@dataclass(frozen=True)
class Encoded:
    """Training rows as token ids, and how many did not fit."""

    train: list[Example]
    val: list[Example]
    too_long: int

    @property
    def tokens(self) -> int:
        return sum(len(row) for row in self.train)


def train_adapter(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    force: bool = False,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Train and save `models/blueprint-lora-vN`; returns version, steps, losses and seconds.

    Raises NothingNewError when rows and settings are those of the newest adapter (unless `force`),
    StoppedError after saving a checkpoint, GateError when too many rows are too long.
    """
    report.phase("3.1", "system prompt")
    system = configured_prompt(config.model)
    report.phase("3.2", "training rows")
    rows = _read(project)
    identity = identify(config, project, system)
    if not force:
        _refuse_repetition(project, identity)
    if config.model.dtype == "float16":
        raise InputError(
            "model.dtype float16 underflows in training; set model.dtype auto, bfloat16 or float32"
        )
    report.phase("3.4", f"base model {config.model.base_model}")
    torch.manual_seed(config.training.seed)
    loaded = load(config, project, for_training=True, report=report)
    report.message(loaded.info.sentence())
    encoded = encode_rows(loaded.tokenizer, rows, system, config)
    report.metric(
        rows=len(encoded.train), val_rows=len(encoded.val), tokens=encoded.tokens, too_long=encoded.too_long
    )
    report.phase("3.5", f"LoRA rank {config.lora.lora_r}")
    torch.manual_seed(config.training.seed)
    model = add_adapter(loaded.model, config)
    report.metric(trainable=count_trainable(model), need_gb=loaded.info.need_gb)
    if should_stop():
        raise StoppedError("stopped before the first step", next_command="python launch_pipeline.py --resume")
    report.phase("4.3", "training loop")
    plan = Plan(
        settings=training_on_rung(config),
        work_dir=project.models / ".work" / f"{identity.data_hash}-{identity.config_hash}",
        facts=vars(identity),
        bf16=loaded.info.dtype == "bfloat16",
        reserve=Reserve(project.reserve, config.disk.reserve_mb * MB),
        grouped=config.training.batch_size,
        eval_batch=eval_batch(config),
        pin_memory=config.ladder.pin_memory,
    )
    fitted = fit(model, loaded.tokenizer, (encoded.train, encoded.val), plan, report, should_stop)
    made = Made(config, loaded, encoded, fitted, identity, system, run_id)
    version = save_adapter(model, made, project, report)
    shutil.rmtree(plan.work_dir)
    result: dict[str, Any] = {
        "version": f"v{version}",
        "adapter": project.relative(versions.adapter_dir(project.models, version)),
        "steps": fitted.steps,
        "rows": len(encoded.train),
        "loss": fitted.train[-1][1] if fitted.train else None,
        "eval_loss": fitted.eval[-1][1] if fitted.eval else None,
        "seconds": round(fitted.seconds, 1),
    }
    report.metric(**result)
    return result


def identify(config: Config, project: Project, system: str) -> Identity:
    """Hash what the adapter depends on: the rows, and base model, prompt and settings."""
    files = [sha256_file(project.blueprint_data / name) for name in ("train.jsonl", "val.jsonl")]
    training = msgspec.to_builtins(config.training)
    settings = {
        "base": find_source(config, project).hash,
        "system": system,
        "max_seq_length": config.model.max_seq_length,
        "dtype": config.model.dtype,
        "quantization": msgspec.to_builtins(config.quantization),
        "lora": msgspec.to_builtins(config.lora),
        "training": {name: value for name, value in training.items() if name not in _HARMLESS},
    }
    return Identity(
        data_hash=sha256_text("".join(files))[:16],
        config_hash=sha256_text(json.dumps(settings, sort_keys=True))[:16],
    )


def encode_rows(tokenizer: Any, rows: tuple[list[Row], list[Row]], system: str, config: Config) -> Encoded:
    """Turn rows into token ids; rows longer than `model.max_seq_length` are left out and counted.

    Raises GateError when they are more than 5 % of all.
    """
    limit = config.model.max_seq_length
    train, val = ([encode_example(tokenizer, r.instruction, r.output, system) for r in part] for part in rows)
    fitting, held_out = ([row for row in part if len(row) <= limit] for part in (train, val))
    too_long = len(train) - len(fitting) + len(val) - len(held_out)
    if too_long > _TOO_LONG_LIMIT * (len(train) + len(val)) or not fitting:
        longest = max(len(row) for row in [*train, *val])
        raise GateError(
            f"{too_long} of {len(train) + len(val)} rows are longer than model.max_seq_length {limit} "
            "tokens (longest "
            f"{longest}) and answers are never cut; raise model.max_seq_length or choose a shorter system "
            "prompt",
            next_command=f"python scripts/04_train_blueprint_lora.py --set model.max_seq_length={longest}",
        )
    if config.training.eval_rows:
        held_out = held_out[: config.training.eval_rows]
    return Encoded(fitting, held_out, too_long)


@dataclass(frozen=True)
class Made:
    """Everything a finished training leaves behind."""

    config: Config
    loaded: Loaded
    encoded: Encoded
    fitted: Fitted
    identity: Identity
    system: str
    run_id: str | None


def save_adapter(model: Any, made: Made, project: Project, report: Report) -> int:
    """Write the next version's folder, manifest last, and return its number."""
    version, partial, target = versions.begin(project.models)
    info, fitted = made.loaded.info, made.fitted
    report.phase("4.4", f"save adapter v{version}")
    report.watch("save")
    model.peft_config["default"].base_model_name_or_path = info.base_model  # a name, not this machine's path
    # The vocabulary is never resized; "auto" would ask the model hub whether it was.
    model.save_pretrained(partial, save_embedding_layers=False)
    (partial / "README.md").unlink(missing_ok=True)
    made.loaded.tokenizer.save_pretrained(partial)
    report.phase("4.5", "save settings and log")
    settings = {"config": made.config.to_dict(), "model": vars(info), "identity": vars(made.identity)}
    write_json(partial / "training_config.json", settings)
    log = {"train": fitted.train, "eval": fitted.eval, "lr": fitted.lr, "seconds": fitted.seconds}
    counts = {"steps": fitted.steps, "rows": len(made.encoded.train), "tokens": made.encoded.tokens}
    counts["checkpoint_bytes"] = fitted.checkpoint_bytes
    write_json(partial / "training_log.json", {**log, **counts, "too_long": made.encoded.too_long})
    report.phase("4.6", "save the prompt")
    write_text(partial / "system_prompt.txt", made.system)
    seal(partial, target, _manifest(version, made))
    versions.read_manifest(target, check_hashes=True)
    return version


def _manifest(version: int, made: Made) -> dict[str, Any]:
    return {
        "version": version,
        "created_at": utc_now(),
        "run_id": made.run_id,
        "profile": made.config.profile,
        "base_model": made.loaded.info.base_model,
        "base_hash": made.loaded.info.base_hash,
        "data_hash": made.identity.data_hash,
        "config_hash": made.identity.config_hash,
    }


def _read(project: Project) -> tuple[list[Row], list[Row]]:
    train, val = (
        read_rows(project.blueprint_data / name, _DATA_COMMAND) for name in ("train.jsonl", "val.jsonl")
    )
    if not train:
        raise InputError(f"{project.blueprint_data / 'train.jsonl'} holds no row", next_command=_DATA_COMMAND)
    return train, val


def _refuse_repetition(project: Project, identity: Identity) -> None:
    newest = versions.latest(project.models)
    if newest is None:
        return
    folder: Path = versions.adapter_dir(project.models, newest)
    manifest = versions.read_manifest(folder)
    if all(manifest.get(name) == value for name, value in vars(identity).items()):
        raise NothingNewError(
            f"adapter v{newest} was trained on these very rows and settings",
            next_command="python scripts/04_train_blueprint_lora.py --force  (to train it again)",
        )
