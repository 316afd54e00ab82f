"""A traced configuration is equal to the plain one and knows what was read."""

from __future__ import annotations

from nightforge.config import Config
from nightforge.config.trace import traced


def test_sections_are_noted_when_they_are_read() -> None:
    config, seen = traced(Config(profile="smol"))
    assert not seen
    assert config.training.learning_rate == Config().training.learning_rate
    assert seen == {"training"}
    assert config.profile == "smol"
    assert seen == {"training", "profile"}


def test_the_whole_is_everything() -> None:
    config, seen = traced(Config())
    assert config.to_dict() == Config().to_dict()
    assert seen == set(Config.__struct_fields__)
