"""A small project with one recorded state, and a server for it on a free loopback port."""

import json
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nightforge.core.clock import format_time, parse_time
from nightforge.core.paths import Project
from nightforge.web.server import DashboardServer, open_servers

STATES = Path(__file__).parent / "states"
RUN_ID = "20261121-171500-3f2a"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def moved(value: Any, age_s: float = 1.0) -> Any:
    """Shift every time in a recorded value so that it was updated (or generated) `age_s` seconds ago."""
    mark = value.get("updated_at") or value.get("generated_at")
    if mark is None:
        return value
    shift = datetime.now(UTC) - timedelta(seconds=age_s) - parse_time(mark)
    text = json.dumps(value)
    return json.loads(_TIME.sub(lambda match: format_time(parse_time(match.group()) + shift), text))


def recorded(name: str, age_s: float = 1.0) -> dict[str, Any]:
    """Read a recorded state and move it to now."""
    return moved(json.loads((STATES / f"{name}.json").read_text(encoding="utf-8")), age_s)


def make_project(root: Path, state: dict[str, Any] | None = None, log: str = "") -> Project:
    """Make a project folder that holds `state` as its live state and as the state of its run."""
    project = Project(root)
    project.profiles.mkdir(parents=True)
    for name in ("tiny", "smol"):
        (project.profiles / f"{name}.json").write_text("{}")
    project.logs.mkdir()
    if state is not None:
        put_state(project, state, log)
    return project


def put_state(project: Project, state: dict[str, Any], log: str = "") -> None:
    """Write the live state, the run's own copy, a configuration and the log of every stage."""
    text = json.dumps(state)
    project.live_state.write_text(text)
    folder = project.run_dir(str(state.get("run_id") or RUN_ID))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(text)
    (folder / "config.json").write_text(
        json.dumps({"profile": "tiny", "config": {"training": {"epochs": 2}}})
    )
    (folder / "report.md").write_text("# Report\n", newline="\n")
    for stage in state.get("stages", []):
        if isinstance(stage, dict) and isinstance(stage.get("id"), str):
            (folder / f"{stage['id']}.log").write_text(log or f"log of {stage['id']}\n", encoding="utf-8")


@dataclass
class Site:
    """A running server and its project."""

    project: Project
    server: DashboardServer

    @property
    def port(self) -> int:
        return self.server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.server.application._parts.gate.token


@contextmanager
def serving(project: Project, port: int = 0) -> Iterator[Site]:
    """Serve `project` from threads of this process."""
    servers = open_servers(project, "127.0.0.1", port)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield Site(project, servers[0])
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def put_hub(project: Project, name: str = "hub") -> None:
    """Write recorded hub data and the older runs that it names."""
    hub = json.loads((STATES / f"{name}.json").read_text(encoding="utf-8"))
    project.results.mkdir(exist_ok=True)
    project.hub_data.write_text(json.dumps(moved(hub)))
    older = json.loads((STATES / "finished.json").read_text(encoding="utf-8"))
    for number, run_id in enumerate(
        ("20260918-221004-91ab", "20261004-231500-07cd", "20261101-224510-5e1f"), 1
    ):
        folder = project.run_dir(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        older.update(run_id=run_id, result={"version": f"v{number}", "report": None, "exit_code": 0})
        (folder / "state.json").write_text(json.dumps(older))
        settings = {"training": {"epochs": number, "learning_rate": 1e-3}, "lora": {"lora_r": 8}}
        (folder / "config.json").write_text(
            json.dumps({"profile": "tiny", "commit": f"c{number}", "config": settings})
        )


@dataclass
class Answer:
    """One parsed HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str


def talk(port: int, data: bytes, end: bool = False) -> Answer:
    """Send raw bytes and read the answer; `end` closes our side after sending."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(ConnectionError):  # the server may answer and close before everything is sent
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        said = b""
        with suppress(ConnectionError):
            while not _complete(said) and (part := connection.recv(65536)):
                said += part
    return parse_answer(said)


def _complete(said: bytes) -> bool:
    head, mark, body = said.partition(b"\r\n\r\n")
    if not mark:
        return False
    match = re.search(rb"(?i)content-length: (\d+)", head)
    return match is None or len(body) >= int(match.group(1))


def parse_answer(said: bytes) -> Answer:
    """Read an answer's status, headers and body."""
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body.decode("utf-8"))


def ask(site: Site, path: str, **headers: str) -> Answer:
    """Read a path as a page would."""
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return talk(site.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n{extra}\r\n".encode())


def post(site: Site, path: str, **fields: Any) -> Answer:
    """Ask for a change as a page would."""
    body = json.dumps({"request_id": "request-0001", **fields}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: {site.url}\r\n"
        "Sec-Fetch-Site: same-origin\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-Nightforge-Token: {site.token}\r\n\r\n"
    )
    return talk(site.port, head.encode() + body)


def upload_head(site: Site, import_id: str, name: str, length: int, **replaced: str) -> bytes:
    """Write the head of an upload as a page sends it; `replaced` headers by name, empty ones left out."""
    headers = {
        "Host": f"127.0.0.1:{site.port}",
        "Origin": site.url,
        "Content-Type": "application/octet-stream",
        "Content-Length": str(length),
        "X-Nightforge-Token": site.token,
    }
    headers |= {key.replace("_", "-"): value for key, value in replaced.items()}
    lines = [f"{key}: {value}" for key, value in headers.items() if value]
    target = f"/api/upload?import={import_id}&name={quote(name, safe='')}"
    return "\r\n".join([f"POST {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def upload(site: Site, import_id: str, name: str, data: bytes) -> Answer:
    """Send one file of an import as a page does."""
    return talk(site.port, upload_head(site, import_id, name, len(data)) + data)


def begin(site: Site, *sizes: int, **fields: Any) -> str:
    """Begin an import of files of these sizes; returns its id."""
    answer = begun(site, *sizes, **fields)
    assert answer.status == 201, answer.body
    return str(json.loads(answer.body)["import"]["id"])


def begun(site: Site, *sizes: int, **fields: Any) -> Answer:
    """Ask to begin an import of files of these sizes, by default a replacement of the training tables."""
    asked = {"stream": "patchtst", "part": "train", "mode": "replace", **fields}
    sums = {"files": len(sizes), "bytes": sum(sizes)}
    return post(site, "/api/import/begin", **{"request_id": secrets.token_hex(8), **sums, **asked})


def finish(site: Site, import_id: str, **fields: Any) -> Answer:
    """Ask to put an import in place."""
    named = {"request_id": secrets.token_hex(8), "import": import_id, **fields}
    return post(site, "/api/import/finish", **named)


def overview(site: Site) -> dict[str, Any]:
    """Read what the anomaly page shows first."""
    answer = ask(site, "/api/anomaly")
    assert answer.status == 200, answer.body
    value: dict[str, Any] = json.loads(answer.body)
    return value
