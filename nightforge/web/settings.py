"""The settings form of the anomaly track as answers: what there is, and what typed values would change."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nightforge.config.form import Checked, check_values, flat, form_fields, form_groups
from nightforge.config.load import load_config
from nightforge.config.schema import Config
from nightforge.core.errors import ConfigError
from nightforge.core.paths import Project
from nightforge.web.messages import Refusal, Response, encode, etag_of, json_response


def form_answer(project: Project, profile: str | None, profiles: list[str]) -> Response:
    """Return the form with the values of `profile` (None: the configured one) as a conditional answer."""
    problem = None
    try:
        config = load_config(project, profile)
    except ConfigError as error:
        config, problem = Config(), error.message
    values = flat(config)
    data = encode(
        {
            "profile": config.profile,
            "profiles": profiles,
            "groups": [asdict(group) for group in form_groups()],
            "fields": [{**asdict(setting), "value": values[setting.key]} for setting in form_fields()],
            "problem": problem,
        }
    )
    return Response(200, data, etag=etag_of(data))


def check_answer(project: Project, fields: dict[str, Any]) -> Response:
    """Answer `POST /api/settings/check`: overrides, diff, errors; nothing is changed."""
    profile, checked = checked_values(project, fields.get("profile"), fields.get("values", {}))
    return json_response({"ok": checked.ok, "profile": profile, **asdict(checked)})


def checked_values(project: Project, profile: str | None, values: Any) -> tuple[str, Checked]:
    """Check values typed into the form against the configuration; returns its profile and the result.

    Raises Refusal when there is no table of values (400) or the configuration itself cannot be read (409).
    """
    if not isinstance(values, dict):
        raise Refusal(400, "the values must be a JSON object of keys and values")
    try:
        base = load_config(project, profile)
    except ConfigError as error:
        raise Refusal(409, error.message, error.next_command) from error
    return base.profile, check_values(base, values)
