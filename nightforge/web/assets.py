"""The fixed map from path to bytes of the pages, loaded once at start. # ops W6

No name from a request ever reaches the file system, so links, alternate streams and `..` have nothing to
act on.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from nightforge.core.errors import InputError
from nightforge.web.messages import Response, etag_of

FOLDER = Path(__file__).resolve().parents[2] / "dashboard"

NAMES = (
    "flowchart.html",
    "anomaly.html",
    "index.html",
    "live.html",
    "favicon.svg",
    "anomaly.css",
    "base.css",
    "flowchart.css",
    "graph.css",
    "hub.css",
    "live.css",
    "tokens.css",
    "actions.js",
    "anomaly.js",
    "anomaly_banner.js",
    "anomaly_checks.js",
    "anomaly_decisions.js",
    "anomaly_files.js",
    "anomaly_graph.js",
    "anomaly_history.js",
    "anomaly_import.js",
    "anomaly_losses.js",
    "anomaly_quality.js",
    "answers.js",
    "chart.js",
    "compare.js",
    "curve.js",
    "dom.js",
    "flow_layout.js",
    "flowchart.js",
    "format.js",
    "hub.js",
    "hub_panels.js",
    "live.js",
    "log.js",
    "mastery.js",
    "node_graph.js",
    "page.js",
    "pan_zoom.js",
    "panels.js",
    "poll.js",
    "program_graph.js",
    "runs.js",
    "score_chart.js",
    "scores.js",
    "settings_form.js",
    "stages.js",
    "status.js",
    "tabs.js",
    "training_data.js",
    "watch.js",
)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def load_assets(folder: Path = FOLDER) -> dict[str, Response]:
    """Read every page file; returns path to ready answer. A missing file raises InputError that names it."""
    assets = {}
    for name in NAMES:
        path = folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}); the dashboard is incomplete",
                next_command="git status dashboard",
            ) from error
        assets[f"/dashboard/{name}"] = Response(200, data, _TYPES[path.suffix], etag=etag_of(data))
    return assets


def fingerprint(assets: dict[str, Response]) -> str:
    """Return 16 hex digits that change with any page file; an older server is recognised by it."""
    digest = hashlib.sha256()
    for path in sorted(assets):
        digest.update(f"{path} {assets[path].etag}\n".encode())
    return digest.hexdigest()[:16]
