"""A load counts its weights and its downloaded bytes, so that a slow one is not taken for a hang."""

from __future__ import annotations

from nightforge.config.schema import Config
from nightforge.core.paths import Project
from nightforge.ml.load_progress import LoadCounter
from nightforge.ml.loading import load
from tests.ml.conftest import SilentReport


def test_every_weight_is_told(folder_config: Config, project: Project, report: SilentReport) -> None:
    loaded = load(folder_config, project, report=report)
    weights = len(loaded.model.state_dict())
    phases, counts = zip(*report.watched, strict=True)
    assert set(phases) == {"load"}
    assert list(counts) == list(range(counts[-1] + 1))
    assert weights - 2 <= counts[-1] <= weights  # tied weights are stored once


def test_the_hook_is_taken_back(folder_config: Config, project: Project, report: SilentReport) -> None:
    from transformers.utils import logging as library

    load(folder_config, project, report=report)
    told = len(report.watched)
    assert list(library.tqdm([1, 2, 3])) == [1, 2, 3]
    assert len(report.watched) == told


def test_downloaded_bytes_are_told_although_no_bar_is_drawn(report: SilentReport) -> None:
    bar = LoadCounter(report).bar_class()(total=100, disable=True)
    bar.update(60)
    bar.update(40)
    assert report.watched == [("load", 60), ("load", 100)]
