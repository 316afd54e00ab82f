"""The seeded generator: programs composed of parts, each with the English that asks for it."""

from nightforge.blueprint.synthesis.generate import Example, generate

__all__ = ["Example", "generate"]
