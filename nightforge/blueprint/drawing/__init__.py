"""Pictures of graphs in the style of the editor, as SVG text."""

from nightforge.blueprint.drawing.svg import to_svg

__all__ = ["to_svg"]
