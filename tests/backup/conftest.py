"""Waiting for the device is slow, and no test here can cut the power: fsync is only counted."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Descriptors that were flushed to the device, in order."""
    seen: list[int] = []
    monkeypatch.setattr("os.fsync", seen.append)
    return seen
