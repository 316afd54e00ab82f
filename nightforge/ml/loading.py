"""One loader for training, inference, exam and evaluation on every profile.

Quantisation comes from the configuration alone, never from a model's name, and is never dropped: what cannot
be loaded as asked is refused in words (facts W-41). Memory is checked before weights are read.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nightforge.config import Config
from nightforge.core.errors import InputError, StageError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.versions import read_manifest
from nightforge.ml import memory
from nightforge.ml.adapters import attach_adapter
from nightforge.ml.gpu import visible_gpus
from nightforge.ml.load_progress import counted_load
from nightforge.ml.sources import Source, find_source

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class ModelInfo:
    """What was loaded, for logs, manifests and pages."""

    base_model: str
    base_hash: str
    device: str
    device_name: str
    dtype: str
    quantization: str
    parameters: int
    need_gb: float
    adapter: str | None
    seconds: float

    def sentence(self) -> str:
        """Describe the model in one line."""
        extra = f" with adapter {self.adapter}" if self.adapter else ""
        return (
            f"{self.base_model}{extra}: {self.parameters / 1e6:.1f} M parameters, {self.quantization}, "
            f"{self.dtype}, "
            f"on {self.device_name}, loaded in {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Loaded:
    """A model ready for use, its tokenizer, and what they are."""

    model: Any
    tokenizer: Any
    info: ModelInfo


def prepare_device(config: Config) -> str:
    """Apply the hardware settings to this process and return `cuda` or `cpu`.

    Raises InputError when the visible GPU is not the expected one or its mask hides every GPU.
    """
    asked = torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else os.cpu_count()
    torch.set_num_threads(config.hardware.cpu_threads or asked or 1)
    wanted = config.hardware.cuda_visible_devices
    cuda: Any = torch.cuda
    if wanted is not None and not cuda.is_initialized():
        os.environ["CUDA_DEVICE_ORDER"] = (
            "PCI_BUS_ID"  # the numbering of nvidia-smi, not CUDA's own "fastest first"
        )
        os.environ["CUDA_VISIBLE_DEVICES"] = wanted
    if config.ladder.expandable_segments and not cuda.is_initialized():
        os.environ["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"
    found = visible_gpus()
    expected = config.hardware.gpu_name
    if expected and not (found and expected.lower() in found[0].name.lower()):
        seen = str(found[0]) if found else "no GPU at all"
        raise InputError(
            f"hardware.gpu_name asks for {expected!r}, but this process sees {seen}",
            next_command="nvidia-smi -L  (then set hardware.cuda_visible_devices to the right UUID)",
        )
    return "cuda" if found else "cpu"


def pick_dtype(config: Config, device: str) -> torch.dtype:
    """Return the number format of unquantised weights; float16 only when it was asked for by name."""
    if config.model.dtype != "auto":
        return _DTYPES[config.model.dtype]
    return torch.bfloat16 if device == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def load(
    config: Config,
    project: Project,
    *,
    adapter: Path | None = None,
    for_training: bool = False,
    report: Report | None = None,
) -> Loaded:
    """Load base model, tokenizer and (optionally) an adapter exactly as the configuration says; `report`
    hears of the phase and of every weight.

    Raises InputError for a model that is not there, does not fit, or cannot be quantised as asked.
    """
    started = time.monotonic()
    if report is not None:
        report.watch("load")
    device = prepare_device(config)
    source = find_source(config, project)
    if adapter is not None:
        _check_adapter(adapter, source)
    dtype = pick_dtype(config, device)
    counts = memory.count_parameters(source.config, config)
    need = memory.estimate(counts, config, dtype, device, for_training)
    memory.require(need, memory.available(device, config), device, source.name)

    with counted_load(report) as counter:
        model = _load_base(config, source, dtype, device, counter.bar_class())
    tokenizer = _load_tokenizer(source)
    if adapter is not None:
        model = attach_adapter(model, adapter)
    if not for_training:
        model.eval()
    gpus = visible_gpus()
    info = ModelInfo(
        base_model=source.name,
        base_hash=source.hash,
        device=device,
        device_name=str(gpus[0]) if gpus else f"CPU ({torch.get_num_threads()} threads)",
        dtype=str(dtype).removeprefix("torch."),
        quantization=quantization_name(config),
        parameters=counts.total,
        need_gb=round(need.total / 1e9, 3),
        adapter=adapter.name if adapter else None,
        seconds=time.monotonic() - started,
    )
    return Loaded(model, tokenizer, info)


def quantization_name(config: Config) -> str:
    """Name the quantisation of the configuration: `8-bit`, `4-bit` or `not quantised`."""
    if config.quantization.use_8bit:
        return "8-bit"
    return "4-bit" if config.quantization.use_4bit else "not quantised"


@contextmanager
def base_only(model: Any) -> Iterator[Any]:
    """Switch the adapter off inside the block, so one load serves both the adapter and the bare base."""
    if hasattr(model, "disable_adapter"):
        with model.disable_adapter():
            yield model
    else:
        yield model


def _check_adapter(adapter: Path, source: Source) -> None:
    manifest = read_manifest(adapter)
    trained_on = manifest.get("base_hash")
    if trained_on != source.hash:
        raise InputError(
            f"{adapter.name} was trained on {manifest.get('base_model')} ({trained_on}), but the "
            "configuration's base "
            f"model is {source.name} ({source.hash}); use the profile it was trained with or train again",
            next_command="python launch_pipeline.py --train-only",
        )


def _load_base(config: Config, source: Source, dtype: torch.dtype, device: str, bar_class: type) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as library_logging

    bars: Any = library_logging
    bars.disable_progress_bar()  # bars would fill the stage's log with carriage returns
    quantized = config.quantization.use_8bit or config.quantization.use_4bit
    extra: dict[str, Any] = {"quantization_config": _bits_and_bytes(config, dtype)} if quantized else {}
    model = AutoModelForCausalLM.from_pretrained(
        source.location,
        revision=source.revision,
        dtype=dtype,
        device_map={"": "cuda:0" if device == "cuda" else "cpu"},
        tqdm_class=bar_class,
        **extra,
    )
    if quantized:
        _assert_quantized(model, config)
    return model


def _load_tokenizer(source: Source) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.location, revision=source.revision)
    tokenizer.padding_side = "left"  # answers grow to the right; padding there would sit inside the text
    return tokenizer


def _bits_and_bytes(config: Config, dtype: torch.dtype) -> Any:
    wanted = quantization_name(config)
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError(
            f"quantization asks for {wanted}, which needs the package bitsandbytes",
            next_command="python -m pip install bitsandbytes  (or switch quantization off)",
        )
    import transformers

    settings: Any = transformers.BitsAndBytesConfig

    # On a CPU, bitsandbytes says once per layer and step that it casts float32 inputs; that is how it works
    # there.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if config.quantization.use_8bit:
        return settings(load_in_8bit=True, llm_int8_threshold=config.quantization.int8_threshold)
    return settings(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=config.quantization.double_quant,
        bnb_4bit_compute_dtype=dtype,
    )


def _assert_quantized(model: Any, config: Config) -> None:
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    kind = Linear8bitLt if config.quantization.use_8bit else Linear4bit
    layers = sum(isinstance(module, kind) for module in model.modules())
    if not layers:
        raise StageError(
            f"quantization asks for {quantization_name(config)}, but no layer of "
            f"{config.model.base_model} was "
            "loaded that way; set use_8bit and use_4bit to false to load it unquantised on purpose"
        )
