"""A project with one lesson and one exam, so that merging it takes a moment."""

from __future__ import annotations

import pytest

from nightforge.core.paths import Project


@pytest.fixture
def small_project(project: Project) -> Project:
    for path in project.lessons.glob("*.json"):
        if path.stem not in ("lesson_01", "exam_01"):
            path.unlink()
    return project
