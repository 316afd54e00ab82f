"""How much GPU memory will a stage need? For whoever must know without loading torch.

`python -m nightforge.ml.need --config RUN/config.json` prints `{"train_mb": …, "generate_mb": …}`, counted as
the loader does before it reads weights; `{}` while the base model is not there. It needs no GPU and touches
none.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from nightforge.config import Config, load_config
from nightforge.core.errors import NightforgeError
from nightforge.core.paths import Project
from nightforge.ml import memory
from nightforge.ml.sources import find_source

_MIB = 2**20


def need_mb(config: Config, project: Project) -> dict[str, int]:
    """Return the need of training and of answering on a GPU, MiB; raises NightforgeError without a base
    model. Numbers are bfloat16 where the device decides, as every current GPU has it.
    """
    counts = memory.count_parameters(find_source(config, project).config, config)
    name = config.model.dtype
    dtype = torch.bfloat16 if name == "auto" else getattr(torch, name)
    found = {}
    for key, training in (("train_mb", True), ("generate_mb", False)):
        need = memory.estimate(counts, config, dtype, "cuda", for_training=training)
        found[key] = int(need.total / _MIB) + 1
    return found


def main() -> int:
    """Print the need."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path)
    project = Project.find()
    config = load_config(project, None, (), parser.parse_args().config)
    try:
        found = need_mb(config, project)
    except NightforgeError:
        found = {}  # built or fetched by stage 00
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
