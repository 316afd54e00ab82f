"""Text for the person at the terminal, which may be a pipe whose reader has left."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line to `stream` (standard output); a reader who left, as in `| head`, is no error.

    What was asked for goes on: from then on the stream leads nowhere.
    """
    stream = stream or sys.stdout
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
