"""The quality report of one stream: JSON for programs, HTML for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nightforge.anomaly.quality import SCHEMA_VERSION, FileQuality
from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now


def write_report(
    path: Path, stream: str, run_id: str, files: Sequence[FileQuality], facts: dict[str, Any]
) -> dict[str, Any]:
    """Write PATH.json and return it. `facts`: source, ignored files, channels left out, error."""
    kept = sum(quality.decision == "keep" for quality in files)
    record = {
        "schema_version": SCHEMA_VERSION,
        "generated_at": utc_now(),
        "run_id": run_id,
        "stream": stream,
        **facts,
        "summary": {
            "files": len(files),
            "kept": kept,
            "dropped": len(files) - kept,
            "warnings": sum(len(quality.warnings) for quality in files),
        },
        "files": [quality.record(run_id) for quality in files],
    }
    write_json(path.with_name(path.name + ".json"), record)
    return record
