"""The seeded generator: programs composed of parts, each with the English that asks for it."""

from nightforge.blueprint.synthesis.corpus import corpus, documents
from nightforge.blueprint.synthesis.generate import Example, examples, generate

__all__ = ["Example", "corpus", "documents", "examples", "generate"]
