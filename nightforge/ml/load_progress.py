"""Counts what is loaded while transformers reads a model, so that a long load is not taken for a hang.
# ops H1, H3

Two public doors are used: the hook through which transformers makes its progress bars (one step per weight),
and the class of bar it gives to downloads (bytes).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nightforge.core.reporting import Report


class LoadCounter:
    """Adds up weights and bytes and tells the guard; downloads count from several threads."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._lock = threading.Lock()
        self.done = 0

    def add(self, count: int) -> None:
        """Count more weights or bytes."""
        with self._lock:
            self.done += count
            if self._report is not None:
                self._report.watch("load", self.done)

    def bar_class(self) -> type:
        """Return the class of bar for downloads; it draws nothing that was not drawn before."""
        from huggingface_hub.utils.tqdm import tqdm

        counter = self

        class CountedBar(tqdm):
            def update(self, n: float | None = 1) -> Any:
                counter.add(int(n or 0))
                return super().update(n)

        return CountedBar


@contextmanager
def counted_load(report: Report | None) -> Iterator[LoadCounter]:
    """Count every weight that transformers loads inside the block."""
    from transformers.utils import logging as library_logging

    library: Any = library_logging
    counter = LoadCounter(report)

    def make(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return _Counted(factory(*args, **kwargs), counter)

    previous = library.set_tqdm_hook(make)
    try:
        yield counter
    finally:
        library.set_tqdm_hook(previous)


class _Counted:
    """A progress bar that counts what is taken out of it; all else is the bar's own."""

    def __init__(self, bar: Any, counter: LoadCounter) -> None:
        self._bar = bar
        self._counter = counter

    def __iter__(self) -> Iterator[Any]:
        for item in self._bar:
            yield item
            self._counter.add(1)

    def __enter__(self) -> _Counted:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bar, name)
