"""Stage 00: make sure the base model of the profile is there; built, converted or merely checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nightforge.blueprint.tiny_base import build_tiny_base
from nightforge.config import Config
from nightforge.core.errors import NothingNewError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.ml import memory
from nightforge.ml.loading import pick_dtype, prepare_device
from nightforge.ml.packaged import convert_packaged
from nightforge.ml.sources import find_source


def prepare_base(
    config: Config, project: Project, report: Report, should_stop: Callable[[], bool]
) -> dict[str, Any]:
    """Build the tiny base, convert a packaged model, or check that a hub or folder model is there and would
    fit.

    Raises NothingNewError when there is nothing to make, InputError when the model is out of reach or too
    large.
    """
    if config.model.source == "tiny":
        return build_tiny_base(config, project, report, should_stop)
    if config.model.source == "package":
        return convert_packaged(config.model.base_model, project, report)
    device = prepare_device(config)
    source = find_source(config, project)
    counts = memory.count_parameters(source.config, config)
    need = memory.estimate(counts, config, pick_dtype(config, device), device, for_training=True)
    memory.require(need, memory.available(device, config), device, source.name)
    raise NothingNewError(f"{source.name} is there; training it needs about {need}")
