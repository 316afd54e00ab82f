"""The memory a stage needs is counted without a GPU, as the loader counts it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from nightforge.config import Config
from nightforge.config.schema import Generation
from nightforge.core.atomic import write_json
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml import memory
from nightforge.ml.need import need_mb
from nightforge.ml.sources import find_source
from nightforge.pipeline.gatekeeper import Needs
from nightforge.pipeline.registry import BLUEPRINT

STAGES = {stage.key: stage for stage in BLUEPRINT}


def test_training_and_answering_have_needs_of_their_own(folder_config: Config, project: Project) -> None:
    found = need_mb(folder_config, project)
    counts = memory.count_parameters(find_source(folder_config, project).config, folder_config)
    need = memory.estimate(counts, folder_config, torch.bfloat16, "cuda", for_training=True)
    assert found["train_mb"] == int(need.total / 2**20) + 1
    assert found["generate_mb"] != found["train_mb"] > 900  # the CUDA context alone is a gigabyte


def test_without_the_base_model_there_is_no_number(project: Project) -> None:
    with pytest.raises(InputError):
        need_mb(Config(), project)


@pytest.mark.slow
def test_the_gate_learns_the_need_from_a_process_of_its_own(folder_config: Config, tmp_path: Path) -> None:
    project = Project(tmp_path)
    run_config = tmp_path / "config.json"
    config = replace(folder_config, generation=Generation(max_new_tokens=64))
    write_json(run_config, {"config": config.to_dict()})
    needs = Needs(project, run_config)
    deadline = time.monotonic() + 60
    while (found := needs(STAGES["04"])) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    expected = need_mb(config, project)
    assert found == expected["train_mb"]
    assert needs(STAGES["12"]) == expected["generate_mb"]
    needs.end()
