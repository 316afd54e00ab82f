"""Proves what a training needs before hours are spent: the GPU that is really used, one 8-bit product forward
and backward, memory against need. # ops R5, D8

`python -m nightforge.ml.proof [--profile P] [--set K=V]` prints one JSON object; the doctor of the launcher
runs it as a process of its own, since a broken CUDA installation may hang or crash whoever asks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import torch

from nightforge.config import Config, load_config
from nightforge.core.errors import NightforgeError
from nightforge.core.paths import Project
from nightforge.ml import memory
from nightforge.ml.gpu import visible_gpus
from nightforge.ml.loading import pick_dtype, prepare_device, quantization_name
from nightforge.ml.sources import find_source

_WIDTH = 256
_TOLERANCE = 0.05  # of the norm: int8 rounding costs one to two per cent


def prove(config: Config, project: Project) -> dict[str, Any]:
    """Return the device in words, the 8-bit product's error and seconds, and memory need against what is
    free, GB; `memory` is None while the base model is not there. Raises InputError for a wrong device.
    """
    device = prepare_device(config)
    gpus = visible_gpus()
    return {
        "device": str(gpus[0]) if gpus else f"CPU ({torch.get_num_threads()} threads)",
        "int8": eight_bit_product(device),
        "memory": _memory(config, project, device),
        "quantization": quantization_name(config),
    }


def eight_bit_product(device: str) -> dict[str, float]:
    """Multiply once through bitsandbytes, forward and backward, and compare with the plain product."""
    import bitsandbytes

    bnb: Any = bitsandbytes.nn
    started = time.monotonic()
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(_WIDTH, _WIDTH, generator=generator) / _WIDTH**0.5
    x = torch.randn(32, _WIDTH, generator=generator)
    kind = torch.float16 if device == "cuda" else torch.float32
    layer = bnb.Linear8bitLt(_WIDTH, _WIDTH, bias=False, has_fp16_weights=False, threshold=6.0)
    layer.weight = bnb.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    layer = layer.to(device)
    inputs = x.to(device, kind, copy=True).requires_grad_()
    output = layer(inputs)
    output.float().square().sum().backward()
    wanted = x @ weight.T
    wanted_gradient = 2 * wanted @ weight
    assert inputs.grad is not None
    return {
        "forward_error": _error(output, wanted),
        "backward_error": _error(inputs.grad, wanted_gradient),
        "limit": _TOLERANCE,
        "seconds": round(time.monotonic() - started, 2),
    }


def _error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    difference = found.detach().float().cpu() - wanted
    return round(float(difference.norm() / wanted.norm()), 4)


def _memory(config: Config, project: Project, device: str) -> dict[str, Any] | None:
    try:
        source = find_source(config, project)
    except NightforgeError:
        return None  # built or fetched by stage 00
    counts = memory.count_parameters(source.config, config)
    need = memory.estimate(counts, config, pick_dtype(config, device), device, for_training=True)
    free = memory.available(device, config)
    return {"need_gb": round(need.total / 1e9, 2), "free_gb": round(free / 1e9, 2), "model": source.name}


def main() -> int:
    """Print the proof, or `{"error": ...}`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    try:
        project = Project.find()
        found = prove(load_config(project, given.profile, given.set), project)
    except NightforgeError as error:
        found = {"error": error.message, "next_command": error.next_command}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
