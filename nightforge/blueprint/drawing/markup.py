"""SVG elements as text: every attribute and every text is escaped here and nowhere else."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 cannot carry at all, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return a text in which characters that XML cannot carry are replaced by U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", text)


def element(tag: str, *children: str, **attributes: str | int | None) -> str:
    """Write an element; a trailing `_` in an attribute name is dropped, other `_` become `-`."""
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}={quoteattr(clean(str(value)))}"
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(children)
    return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"


def text(words: str, x: int, y: int, class_: str) -> str:
    """Write one line of text with its baseline at y."""
    return element("text", escape(clean(words)), x=x, y=y, class_=class_)


def words(tag: str, content: str, **attributes: str | int | None) -> str:
    """Write an element that holds nothing but words, such as a title."""
    return element(tag, escape(clean(content)), **attributes)
