"""Every setting with its type, unit, range and default; docs/config.md is generated from this file.

A value that is not listed here does not exist: the loader rejects unknown keys. Contradictions are rejected
by `contradictions` in words a user understands. Profiles (profiles/*.json) only replace values.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from nightforge.config.anomaly import Anomaly, PatchTst, SwinMae, anomaly_contradictions, doc

Count = Annotated[int, Meta(ge=1)]
Index = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Hardware(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which GPU a run may use, and what it is expected to be."""

    cuda_visible_devices: Annotated[
        str | None, doc("GPU UUID (`GPU-…`) or PCI-ordered index handed to CUDA; null: all")
    ] = None
    gpu_name: Annotated[
        str | None, doc("part of the expected GPU name; a different GPU stops the run; null: any")
    ] = None
    gpu_vram_gb: Annotated[
        Positive | None, doc("GPU memory to plan with, GB; null: what the device reports")
    ] = None
    cpu_threads: Annotated[Index, doc("threads for CPU mathematics; 0: one per core")] = 0


class TinyBase(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shape and pre-training of the embedded base model of profile `tiny` (Llama architecture)."""

    hidden_size: Annotated[Count, doc("width of the residual stream")] = 128
    intermediate_size: Annotated[Count, doc("width of the feed-forward layers")] = 256
    layers: Annotated[Annotated[int, Meta(ge=2)], doc("number of decoder layers")] = 4
    heads: Annotated[
        Annotated[int, Meta(ge=4)], doc("number of attention heads; must divide hidden_size")
    ] = 4
    vocab_size: Annotated[Count, doc("largest size of the vocabulary, tokens")] = 2048
    pretrain_steps: Annotated[Count, doc("optimizer steps of pre-training")] = 900
    pretrain_batch: Annotated[Count, doc("documents per pre-training step")] = 8
    pretrain_length: Annotated[Count, doc("longest pre-training document, tokens")] = 200
    pretrain_learning_rate: Annotated[
        Positive, doc("peak learning rate of Muon for matrices; a quarter of it for the rest (AdamW)")
    ] = 0.02
    seed: Annotated[Index, doc("seed of weights and corpus")] = 7


class Model(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base model, where it comes from and how it is addressed."""

    base_model: Annotated[
        str, doc("`tiny`, `smollm2-135m`, a hub id such as `meta-llama/Meta-Llama-3.1-8B`, or a folder")
    ] = "tiny"
    source: Annotated[Literal["tiny", "package", "hub", "folder"], doc("where the base model comes from")] = (
        "tiny"
    )
    revision: Annotated[str | None, doc("hub revision to pin; null: the default branch")] = None
    max_seq_length: Annotated[
        Count, doc("longest prompt plus answer, tokens; longer rows are refused, never cut")
    ] = 1024
    system_prompt: Annotated[
        Literal["minimal", "compact", "full"], doc("how much of the language the prompt explains")
    ] = "minimal"
    prompt_reference: Annotated[
        Literal["none", "core", "all"] | None,
        doc("node types listed in the prompt; null: minimal lists none, compact the core ones, full all"),
    ] = None
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        doc("number format of unquantised weights; auto: bfloat16 on a GPU that has it, else float32"),
    ] = "auto"
    tiny: TinyBase = msgspec.field(default_factory=TinyBase)


class Quantization(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Quantised loading through bitsandbytes; refused where it cannot be honoured, never dropped."""

    use_8bit: Annotated[bool, doc("load the base model in 8-bit (LLM.int8)")] = False
    use_4bit: Annotated[bool, doc("load the base model in 4-bit (NF4)")] = False
    int8_threshold: Annotated[
        Annotated[float, Meta(ge=0)], doc("outlier threshold of 8-bit matrix products")
    ] = 6.0
    double_quant: Annotated[bool, doc("quantise the 4-bit scales as well")] = True


class Lora(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The adapter that is trained."""

    lora_r: Annotated[Count, doc("rank")] = 32
    lora_alpha: Annotated[Positive, doc("scale; the update is multiplied by alpha / rank")] = 64
    lora_dropout: Annotated[Share, doc("dropout in front of the adapter")] = 0.05
    target_modules: Annotated[tuple[str, ...], doc("linear layers that get an adapter")] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    modules_to_save: Annotated[tuple[str, ...], doc("layers trained in full beside the adapter")] = ()


class Training(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The training loop of stage 04."""

    epochs: Annotated[Positive, doc("passes over the training rows")] = 3
    max_steps: Annotated[Index, doc("upper bound of optimizer steps; 0: none, epochs decide")] = 0
    batch_size: Annotated[Count, doc("rows per forward pass (micro-batch)")] = 1
    gradient_accumulation_steps: Annotated[Count, doc("micro-batches per optimizer step")] = 8
    learning_rate: Annotated[Positive, doc("peak learning rate")] = 2e-4
    lr_scheduler: Annotated[
        Literal["constant", "linear", "cosine"], doc("shape of the learning rate after warm-up")
    ] = "cosine"
    warmup_steps: Annotated[Index, doc("optimizer steps of linear warm-up")] = 10
    weight_decay: Annotated[Annotated[float, Meta(ge=0)], doc("AdamW weight decay")] = 0.01
    max_grad_norm: Annotated[Positive, doc("gradient clipping norm")] = 0.3
    optimizer: Annotated[
        Literal["adamw_torch", "adamw_8bit", "paged_adamw_8bit", "muon"], doc("optimizer")
    ] = "adamw_torch"
    logging_steps: Annotated[Count, doc("optimizer steps between loss reports")] = 5
    save_steps: Annotated[Count, doc("optimizer steps between checkpoints")] = 100
    eval_steps: Annotated[Count, doc("optimizer steps between held-out losses")] = 100
    eval_rows: Annotated[Index, doc("held-out rows used for the held-out loss; 0: all")] = 0
    keep_checkpoints: Annotated[Count, doc("complete checkpoints kept while training")] = 2
    group_by_length: Annotated[bool, doc("batch rows of similar length to save padding")] = True
    gradient_checkpointing: Annotated[
        bool, doc("recompute activations: less memory, about a third slower")
    ] = False
    seed: Annotated[Index, doc("seed of adapter weights and row order")] = 42


class StallDetection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When silence is a stall. Only progress resets the clock; there is no wall-clock limit. Each phase of a
    stage has its own limit: what stands here, or 5 times the longest interval of earlier runs where that is
    more (`logs/stall_limits.json`).
    """

    stall_warn_seconds: Annotated[
        Positive, doc("seconds without progress until a warning; at the latest at half of the limit")
    ] = 300
    stall_kill_seconds: Annotated[
        Positive,
        doc("seconds without progress until a stage is stopped and retried, where no other key holds"),
    ] = 900
    stall_kill_seconds_training: Annotated[
        Positive, doc("the same for the steps of a training, the first of which may compile kernels")
    ] = 10800
    stall_kill_seconds_load: Annotated[Positive, doc("seconds until the next part of a model is loaded")] = (
        1800
    )
    stall_kill_seconds_eval: Annotated[
        Positive, doc("seconds until the next batch is evaluated or answered")
    ] = 1800
    stall_kill_seconds_save: Annotated[
        Positive, doc("seconds without progress while a checkpoint, an adapter or a backup is written")
    ] = 1800
    stall_kill_seconds_teardown: Annotated[
        Positive, doc("seconds a finished stage has for its exit; it counts as done all the same")
    ] = 600
    stall_kill_seconds_output: Annotated[
        Positive, doc("seconds without output, for a script that never reports progress")
    ] = 21600
    kill: Annotated[bool, doc("false: warn only, never stop a silent stage")] = True


class GpuGate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Before each attempt of a stage that computes on a GPU: is the card free again?"""

    poll_seconds: Annotated[Positive, doc("seconds between two looks at the card")] = 2
    limit_seconds: Annotated[
        Positive,
        doc("seconds for memory to come back; then processes left behind by earlier attempts are ended"),
    ] = 60
    margin_mb: Annotated[
        Index, doc("memory in use above the lowest ever seen on this card that still counts as free, MB")
    ] = 512
    share: Annotated[
        bool,
        doc(
            "go on beside somebody else's process when the free memory covers the estimated need; "
            "false: wait until the card is free"
        ),
    ] = True


class Generation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Decoding in inference, exam and evaluation; always greedy, so equal input gives equal output."""

    max_new_tokens: Annotated[Count, doc("longest answer, tokens")] = 512
    batch_size: Annotated[Count, doc("answers decoded together")] = 32


class Exam(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 12: what is asked, and of whom."""

    lessons: Annotated[bool, doc("ask the lesson prompts (seen in training)")] = True
    holdout: Annotated[bool, doc("ask the held-out exams (never trained on)")] = True
    include_base: Annotated[bool, doc("score the base model without adapter as well")] = True
    scope: Annotated[
        Literal["core", "catalog"],
        doc("prompts taught and asked: core: those written for the core of the catalog; catalog: all"),
    ] = "catalog"
    limit: Annotated[Index, doc("prompts asked at most, spread over all files; 0: all")] = 0


class Backup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage 16: verified snapshots and the optional second copy."""

    enabled: Annotated[bool, doc("make snapshots around training")] = True
    mirror: Annotated[
        str | None, doc("folder on another disk for a second copy; its absence is a warning; null: none")
    ] = None
    keep_last: Annotated[Count, doc("newest snapshots kept; pinned and champion ones are kept besides")] = 10
    keep_daily: Annotated[Index, doc("days of which the newest snapshot is kept")] = 7
    keep_weekly: Annotated[Index, doc("weeks of which the newest snapshot is kept")] = 4
    stale_hours: Annotated[
        Count, doc("hours after which stage 17 complains that what has changed is not backed up")
    ] = 48


class Disk(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Room on the disks: a run waits for room instead of failing."""

    reserve_mb: Annotated[
        Index,
        doc(
            "reserve file in logs/, MiB, given up when the disk is full; as much stays free beside the next "
            "checkpoint"
        ),
    ] = 64
    stage_log_mb: Annotated[
        Count, doc("largest log of one stage, MiB: the first half and the newest rest are kept")
    ] = 64
    all_logs_mb: Annotated[
        Count, doc("largest size of the stage logs of all runs, MiB; those of the oldest runs go first")
    ] = 4096
    look_seconds: Annotated[Positive, doc("seconds between two looks at a disk that has no room")] = 30


class Dashboard(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The local web server and its pages."""

    host: Annotated[str, doc("address to listen on; only loopback addresses are accepted")] = "127.0.0.1"
    port: Annotated[Annotated[int, Meta(ge=1, le=65535)], doc("port to listen on")] = 8080
    autostart: Annotated[bool, doc("launch_pipeline.py starts the server when it is not running")] = True


class Notify(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Messages to somebody elsewhere; a notifier that fails never hurts a run."""

    command: Annotated[
        tuple[str, ...], doc("program and arguments; gets the message as JSON on standard input; []: none")
    ] = ()
    webhook: Annotated[
        Annotated[str, Meta(pattern="^https?://")] | None,
        doc("address that gets the message as JSON by POST; null: none"),
    ] = None
    events: Annotated[
        tuple[Literal["finish", "failure", "stop", "stall", "retry", "watchdog"], ...],
        doc("what is told"),
    ] = ("finish", "failure", "stall", "retry", "watchdog")


class Synthetic(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stages 03 and 20: generated rows, and how all rows are merged."""

    count: Annotated[Index, doc("instruction and program pairs to generate")] = 4000
    seed: Annotated[Index, doc("seed of the generator")] = 42
    scope: Annotated[
        Literal["core", "catalog"],
        doc("core: composed of fixed parts, tuned for profile tiny; catalog: grown over every node type"),
    ] = "catalog"
    difficulty: Annotated[
        Literal["mixed", "easy", "medium", "hard"],
        doc("statements, expression depth and nesting of grown programs; mixed: 40, 40 and 20 %"),
    ] = "mixed"
    targets: Annotated[
        tuple[str, ...], doc("node types of which every grown program holds one; []: all of the catalog")
    ] = ()
    invented: Annotated[
        Share, doc("share of grown programs whose names, texts and numbers are made up rather than listed")
    ] = 0.4
    max_nodes: Annotated[Count, doc("largest generated program, nodes")] = 12
    structure_cap: Annotated[
        Count, doc("generated and translated rows kept per program structure; rows people wrote are all kept")
    ] = 6
    reinforce_lessons: Annotated[
        tuple[str, ...], doc("lessons whose answers are trained on more than once, by lesson_id")
    ] = ()
    reinforce_copies: Annotated[Count, doc("further copies of each answer of those lessons")] = 1
    val_fraction: Annotated[Share, doc("share of the structures held out for the held-out loss")] = 0.05
    focus_weight: Annotated[
        Annotated[float, Meta(ge=0)], doc("how strongly weak node types are favoured; 0: not at all")
    ] = 1.0


class Ladder(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Less memory, same science; set by the orchestrator after an out-of-memory error."""

    micro_batch: Annotated[
        Count | None,
        doc(
            "rows per forward pass in training; divides batch_size x accumulation; null: training.batch_size"
        ),
    ] = None
    gradient_checkpointing: Annotated[bool, doc("switch training.gradient_checkpointing on")] = False
    eval_batch: Annotated[
        Count | None, doc("rows per forward pass of the held-out loss; null: 8 or more, 1 with batch_size 1")
    ] = None
    generation_batch: Annotated[
        Count | None, doc("answers decoded together; null: generation.batch_size")
    ] = None
    expandable_segments: Annotated[bool, doc("let the CUDA allocator grow its blocks: fewer fragments")] = (
        False
    )
    pin_memory: Annotated[bool, doc("page-locked host memory for rows on their way to a GPU")] = True


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The resolved configuration of one run."""

    profile: str = "tiny"
    hardware: Hardware = msgspec.field(default_factory=Hardware)
    model: Model = msgspec.field(default_factory=Model)
    quantization: Quantization = msgspec.field(default_factory=Quantization)
    lora: Lora = msgspec.field(default_factory=Lora)
    training: Training = msgspec.field(default_factory=Training)
    stall_detection: StallDetection = msgspec.field(default_factory=StallDetection)
    gpu_gate: GpuGate = msgspec.field(default_factory=GpuGate)
    generation: Generation = msgspec.field(default_factory=Generation)
    exam: Exam = msgspec.field(default_factory=Exam)
    backup: Backup = msgspec.field(default_factory=Backup)
    disk: Disk = msgspec.field(default_factory=Disk)
    dashboard: Dashboard = msgspec.field(default_factory=Dashboard)
    synthetic: Synthetic = msgspec.field(default_factory=Synthetic)
    notify: Notify = msgspec.field(default_factory=Notify)
    ladder: Ladder = msgspec.field(default_factory=Ladder)
    patchtst: PatchTst = msgspec.field(default_factory=PatchTst)
    swinmae: SwinMae = msgspec.field(default_factory=SwinMae)
    anomaly: Anomaly = msgspec.field(default_factory=Anomaly)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `load_config` accepts them back."""
        value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return value


def contradictions(config: Config) -> list[str]:
    """Return what cannot be true together, each as a sentence naming the keys and both ways out."""
    found: list[str] = []
    quantization, stall, tiny = config.quantization, config.stall_detection, config.model.tiny
    if quantization.use_8bit and quantization.use_4bit:
        found.append(
            "quantization.use_8bit and quantization.use_4bit are both true; a model is loaded in one way "
            "only, set one of them to false"
        )
    if (quantization.use_8bit or quantization.use_4bit) and config.model.dtype == "float16":
        found.append(
            "quantization with model.dtype float16 overflows in LLM.int8 outliers; "
            "use model.dtype auto or bfloat16"
        )
    if stall.stall_warn_seconds >= min(stall.stall_kill_seconds, stall.stall_kill_seconds_training):
        found.append(
            "stall_detection.stall_warn_seconds must be below stall_kill_seconds and "
            "stall_kill_seconds_training; lower the warning or raise the limits"
        )
    if tiny.hidden_size % tiny.heads or (tiny.hidden_size // tiny.heads) % 2:
        found.append(
            f"model.tiny.hidden_size {tiny.hidden_size} must be an even multiple of "
            f"model.tiny.heads {tiny.heads}"
        )
    if config.generation.max_new_tokens >= config.model.max_seq_length:
        found.append(
            f"generation.max_new_tokens {config.generation.max_new_tokens} leaves no room for a prompt in "
            f"model.max_seq_length {config.model.max_seq_length}; lower one or raise the other"
        )
    if (config.model.source == "tiny") != (config.model.base_model == "tiny"):
        found.append(
            f"model.base_model {config.model.base_model!r} does not fit "
            f"model.source {config.model.source!r}; the embedded model is base_model tiny with source tiny"
        )
    training, micro = config.training, config.ladder.micro_batch
    effective = training.batch_size * training.gradient_accumulation_steps
    if micro is not None and effective % micro:
        found.append(
            f"ladder.micro_batch {micro} must divide the effective batch {effective} "
            "(training.batch_size x gradient_accumulation_steps); choose a divisor or null"
        )
    if not (config.exam.lessons or config.exam.holdout):
        found.append(
            "exam.lessons and exam.holdout are both false; the exam would ask nothing, set one to true"
        )
    return found + anomaly_contradictions(config.patchtst, config.swinmae, config.anomaly)
