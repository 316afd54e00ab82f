"""The fixtures of the pipeline tests."""

from tiny_project import tiny

__all__ = ["tiny"]
