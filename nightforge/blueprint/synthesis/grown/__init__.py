"""Programs grown from typed composition over the whole catalog (`synthetic.scope = "catalog"`)."""

from nightforge.blueprint.synthesis.grown.facts import problems
from nightforge.blueprint.synthesis.grown.generate import Request, grow

__all__ = ["Request", "grow", "problems"]
