"""The ladder's rungs, what it never touches, and the file that remembers them. # ops O1-O5"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightforge.config import Config, load_config
from nightforge.config.rungs import eval_batch, generation_batch, training_on_rung
from nightforge.config.schema import Generation, Ladder, Training, contradictions
from nightforge.core.paths import Project
from nightforge.pipeline.ladder import (
    CPU,
    Place,
    RungMemory,
    end_words,
    overrides,
    rungs_left,
    step_down,
)

TRAIN = Place("04", "training", CPU)
EXAM = Place("12", "exam", "NVIDIA Test")


def configured(size: int, accumulation: int = 1, **more: Any) -> Config:
    return Config(
        training=Training(batch_size=size, gradient_accumulation_steps=accumulation, **more),
        generation=Generation(batch_size=32),
    )


def descend(config: Config, place: Place, failure: str) -> list[Config]:
    rungs = []
    while (step := step_down(config, place, failure)) is not None:
        config = msgspec.structs.replace(config, ladder=step.ladder)
        rungs.append(config)
    return rungs


@pytest.mark.parametrize(
    ("size", "accumulation", "micro"),
    [
        (8, 1, [4, 2, 1]),
        (3, 1, [1]),
        (6, 1, [3, 2, 1]),
        (7, 1, [1]),
        (6, 4, [4, 3, 2, 1]),
        (1, 8, []),
        (7, 8, [4, 2, 1]),
    ],
)
def test_the_effective_batch_stays_and_recomputation_comes_last(
    size: int, accumulation: int, micro: list[int]
) -> None:
    rungs = descend(configured(size, accumulation), TRAIN, "oom_train")
    used = [training_on_rung(config) for config in rungs]
    assert [t.batch_size for t in used[:-1]] == micro
    assert all(t.batch_size * t.gradient_accumulation_steps == size * accumulation for t in used)
    assert [t.gradient_checkpointing for t in used] == [False] * len(micro) + [True]
    assert rungs_left(configured(size, accumulation), TRAIN, "oom_train") == len(rungs)
    assert all(contradictions(config) == [] for config in rungs)


def test_nothing_that_changes_the_result_is_ever_touched() -> None:
    config = configured(8, 2)
    for rung in descend(config, TRAIN._replace(gpu="NVIDIA Test"), "oom_train"):
        before, after = config.to_dict(), rung.to_dict()
        assert {name for name in before if before[name] != after[name]} == {"ladder"}
        kept, used = msgspec.to_builtins(config.training), msgspec.to_builtins(training_on_rung(rung))
        changed = {name for name in kept if kept[name] != used[name]}
        assert changed <= {"batch_size", "gradient_accumulation_steps", "gradient_checkpointing"}


def test_a_gpu_has_one_more_rung_against_fragments() -> None:
    last = descend(configured(2), TRAIN._replace(gpu="NVIDIA Test"), "oom_train")[-1]
    assert last.ladder == Ladder(micro_batch=1, gradient_checkpointing=True, expandable_segments=True)


def test_evaluation_and_exam_have_their_own_ladders() -> None:
    rungs = descend(configured(8), TRAIN, "oom_eval")
    assert [eval_batch(config) for config in rungs] == [4, 2, 1]
    assert all(training_on_rung(config) == configured(8).training for config in rungs)
    rungs = descend(configured(8), EXAM, "oom_eval")
    assert [generation_batch(config) for config in rungs] == [16, 8, 4, 2, 1]
    assert all(config.ladder.micro_batch is None for config in rungs)


def test_the_computers_memory_is_the_batchs_only_without_a_gpu() -> None:
    gpu = TRAIN._replace(gpu="NVIDIA Test")
    assert [config.ladder for config in descend(configured(8), gpu, "oom_host")] == [Ladder(pin_memory=False)]
    assert step_down(configured(8), EXAM, "oom_host") is None
    step = step_down(configured(8), TRAIN, "oom_host")
    assert step is not None and step.ladder.micro_batch == 4


@pytest.mark.parametrize("place", [TRAIN, EXAM])
def test_at_its_end_the_ladder_says_what_would_fit(place: Place) -> None:
    words = end_words(configured(8), place, "oom_train" if place is TRAIN else "oom_eval")
    assert "out of memory even with" in words
    assert "model.max_seq_length" in words if place is TRAIN else "max_new_tokens" in words


def test_a_rung_reaches_the_stage_as_settings(tmp_path: Path) -> None:
    ladder = Ladder(micro_batch=3, gradient_checkpointing=True, pin_memory=False)
    found = overrides(ladder)
    assert overrides(Ladder()) == ()
    record = tmp_path / "config.json"
    record.write_text(json.dumps({"config": configured(6).to_dict()}))
    assert load_config(Project(tmp_path), None, found[1::2], record).ladder == ladder


def test_a_rung_is_remembered_for_this_stage_gpu_and_configuration_only(tmp_path: Path) -> None:
    memory = RungMemory(tmp_path / "logs" / "oom_rungs.json")
    config = configured(8)
    step = step_down(config, TRAIN, "oom_train")
    assert step is not None
    memory.remember(config, TRAIN, step, "now")
    ladder, record = memory.recall(config, TRAIN)
    assert ladder == Ladder(micro_batch=4)
    assert record is not None
    assert (record["old"], record["new"]) == ("8 x 1", "4 x 2")
    for other, place in (
        (configured(16), TRAIN),
        (config, TRAIN._replace(gpu="another")),
        (config, TRAIN._replace(stage="00")),
        (msgspec.structs.replace(config, ladder=Ladder(micro_batch=2)), TRAIN),  # the user's own choice
    ):
        assert memory.recall(other, place) == (other.ladder, None)


def test_an_unreadable_memory_is_kept_aside_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "oom_rungs.json"
    path.write_text("{broken")
    config = configured(8)
    step = step_down(config, TRAIN, "oom_train")
    assert step is not None
    RungMemory(path).remember(config, TRAIN, step, "now")
    assert path.with_suffix(".unreadable").read_text() == "{broken"
    assert RungMemory(path).recall(config, TRAIN)[0] == step.ladder
