"""What is really used on the current rung of the out-of-memory ladder. Pure. # ops O1, O3

Effective batch, order of rows and number of optimizer steps are those of `training`, whatever the rung.
"""

from __future__ import annotations

from msgspec.structs import replace

from nightforge.config.schema import Config, Training


def training_on_rung(config: Config) -> Training:
    """Return the training settings with the rung's micro-batch, accumulation and recomputation."""
    training, ladder = config.training, config.ladder
    micro = ladder.micro_batch or training.batch_size
    effective = training.batch_size * training.gradient_accumulation_steps
    return replace(
        training,
        batch_size=micro,
        gradient_accumulation_steps=effective // micro,
        gradient_checkpointing=training.gradient_checkpointing or ladder.gradient_checkpointing,
    )


def eval_batch(config: Config) -> int:
    """Return the rows per forward pass of the held-out loss."""
    size = config.training.batch_size
    return config.ladder.eval_batch or (max(8, size) if size > 1 else 1)


def generation_batch(config: Config) -> int:
    """Return how many answers are decoded together."""
    return config.ladder.generation_batch or config.generation.batch_size
