"""From the fields of `POST /api/train` to the launcher's command line. Nothing here starts anything."""

from __future__ import annotations

import json
from typing import Any

from nightforge.core.paths import Project
from nightforge.web.messages import Refusal
from nightforge.web.settings import checked_values

PIPELINES = ("blueprint", "anomaly")
MODES = ("full", "data-only", "train-only", "eval-only")
STREAMS = ("patchtst", "swinmae")


def launcher_arguments(project: Project, fields: dict[str, Any], profiles: list[str]) -> list[str]:
    """Return the arguments of `launch_pipeline.py`; raises Refusal for anything it would not understand."""
    for name in ("resume", "force"):
        if not isinstance(fields.get(name, False), bool):
            raise Refusal(400, f"{name} must be true or false")
    if fields.get("resume"):
        return ["--resume"]
    pipeline = _chosen(fields, "pipeline", PIPELINES)
    mode = _chosen(fields, "mode", MODES)
    profile = fields.get("profile")
    if profile is not None and (not isinstance(profile, str) or profile not in profiles):
        raise Refusal(400, f"there is no such profile; choose one of {', '.join(profiles)}")
    arguments = ["--pipeline", pipeline] if pipeline != PIPELINES[0] else []
    arguments += ["--profile", profile] if profile is not None else []
    arguments += [f"--{mode}"] if mode != MODES[0] else []
    arguments += ["--force"] if fields.get("force") else []
    return arguments + _settings(project, fields, pipeline, profile)


def _chosen(fields: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = fields.get(name, known[0])
    if not isinstance(value, str) or value not in known:
        raise Refusal(400, f"there is no such {name}; choose one of {', '.join(known)}")
    return value


def _settings(project: Project, fields: dict[str, Any], pipeline: str, profile: str | None) -> list[str]:
    """Return `--set` for what differs from the configuration; the launcher stores it with the run."""
    values = fields.get("overrides")
    if values is None:
        values = {}
    if pipeline != "anomaly":
        if values or fields.get("streams") is not None:
            raise Refusal(400, "overrides and streams belong to the pipeline anomaly")
        return []
    if not isinstance(values, dict):
        raise Refusal(400, "overrides must be a JSON object of keys and values")
    _, checked = checked_values(project, profile, {**values, **_streams(fields.get("streams"))})
    if not checked.ok:
        words = "; ".join(error["message"] for error in checked.errors[:3])
        raise Refusal(400, words, details={"errors": checked.errors})
    texts = (f"{key}={json.dumps(value)}" for key, value in checked.overrides.items())
    return [argument for text in texts for argument in ("--set", text)]


def _streams(chosen: Any) -> dict[str, bool]:
    if chosen is None:
        return {}
    if not isinstance(chosen, list) or not chosen or not all(stream in STREAMS for stream in chosen):
        raise Refusal(400, f"streams must be a list with one or both of {', '.join(STREAMS)}")
    return {f"{stream}.enabled": stream in chosen for stream in STREAMS}
