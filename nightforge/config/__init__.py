"""The one configuration: typed, strict, checked once at the door."""

from nightforge.config.load import load_config
from nightforge.config.schema import Config

__all__ = ["Config", "load_config"]
