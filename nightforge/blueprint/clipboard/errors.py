"""The one error of the reading side: a clipboard text that can't be read, with a stable code and a place."""

from __future__ import annotations

from nightforge.core.errors import BadDataError

CODES = {
    "CLIP101": "the text is empty",
    "CLIP102": "the bytes are no text in UTF-8 or UTF-16",
    "CLIP103": "the text is larger than the limit",
    "CLIP104": "the text is cut off or its objects are not closed",
    "CLIP105": "a line or a value can't be read",
    "CLIP106": "the objects are no Blueprint (K2) nodes",
    "CLIP107": "a link can't be resolved",
    "CLIP108": "objects nest too deep",
    "CLIP109": "the translation would lose something",
}


class ClipboardError(BadDataError):
    """A clipboard text that can't be read or translated.

    `code` is a key of `CODES`; `line` counts from 1, 0 where the whole text is meant.
    """

    def __init__(self, code: str, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message} [{code}]" if line else f"{message} [{code}]")
        self.code, self.line = code, line
