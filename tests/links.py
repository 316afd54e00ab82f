"""Symbolic links for tests, which not every system makes: Windows asks for a right, Wine 8 makes none."""

from __future__ import annotations

from pathlib import Path

import pytest


def make_link(link: Path, target: str | Path, is_folder: bool = False) -> bool:
    """Make a symbolic link; tells whether it is there."""
    try:
        link.symlink_to(target, target_is_directory=is_folder)
    except OSError:
        return False
    return link.is_symlink()


def need_link(link: Path, target: str | Path) -> None:
    """Make a symbolic link or skip the test."""
    if not make_link(link, target):
        pytest.skip("this system makes no symbolic links")
