"""Random requests never get a 5xx answer nor stop the server."""

from __future__ import annotations

import random
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from web_sites import RUN_ID, make_project, recorded, serving, talk

from nightforge.web.messages import UPLOAD_LIMIT, UPLOAD_PATH, CutOff, Refusal, Request, Response
from nightforge.web.server import build_application
from nightforge.web.wire import body_length, parse_head

WORDS = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    " ",
    "/",
    "..",
    "%2e",
    "?",
    "offset=",
    "=",
    "&",
    "HTTP/1.1",
    "HTTP/9.9",
    "\r\n",
    "\n",
    "\r",
    ":",
    "Host",
    "127.0.0.1",
    "localhost",
    "evil",
    "Origin",
    "null",
    "Content-Length",
    "0",
    "99999",
    "-1",
    "Transfer-Encoding",
    "chunked",
    "X-Nightforge-Token",
    "\0",
    "\xff",
    "{",
    "}",
    '"',
    "api",
    "stop",
    "train",
    "status",
    "runs",
    "log",
    RUN_ID,
    "04",
    "dashboard",
    "live.html",
    "anomaly",
    "results",
    "quality",
    "patchtst",
    "settings",
    "import",
    "upload",
    "logs",
    "pipeline_live_state.json",
    "If-None-Match",
    "*",
    "W/",
    "a" * 300,
    "Connection",
    "close",
]

GOOD = [
    "/",
    "/dashboard/live.html",
    "/api/status",
    "/api/runs",
    f"/api/runs/{RUN_ID}",
    f"/api/runs/{RUN_ID}/log/04?offset=3",
    "/api/anomaly",
    "/api/anomaly/quality/patchtst",
    "/api/settings/anomaly?profile=tiny",
    "/api/upload?import=0123456789abcdef&name=a.csv",
]


def random_head(draw: random.Random, port: int) -> bytes:
    """A request that is half right: real pieces in a wrong order, sometimes with bytes changed."""
    if draw.random() < 0.3:
        text = "".join(draw.choices(WORDS, k=draw.randint(1, 40)))
    else:
        good = draw.choice(GOOD)
        path = (
            good
            if draw.random() < 0.4
            else "/" + "/".join(draw.choices(WORDS, k=draw.randint(0, 5))).replace("\r", "").replace("\n", "")
        )
        lines = [f"{draw.choice(['GET', 'HEAD', 'POST'])} {path} HTTP/1.1", f"Host: localhost:{port}"]
        lines += [f"{draw.choice(WORDS)}: {draw.choice(WORDS)}" for _ in range(draw.randint(0, 4))]
        text = "\r\n".join(lines)
    data = bytearray(text.encode("latin-1"))
    for _ in range(draw.choice([0, 0, 1, 5])):
        if data:
            data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def answer_of(application, head: bytes, body: bytes) -> Response:
    """What the connection would do with a head and the body that follows."""
    try:
        request = parse_head(head)
        if request.method == "POST" and request.path == UPLOAD_PATH:
            return application.upload(request, body_length(request, UPLOAD_LIMIT), None)
        length = body_length(request)
        if length > len(body):
            raise Refusal(400, "short")
        request = Request(request.method, request.path, request.query, request.headers, body[:length])
        return application.respond(request)
    except Refusal as refusal:
        return refusal.response()


def fuzz(project, rounds: int, seed: int) -> None:
    draw = random.Random(seed)
    application = build_application(project, "127.0.0.1", 8080)
    seen = set()
    for _ in range(rounds):
        head = random_head(draw, 8080)
        status = answer_of(application, head, draw.randbytes(draw.randint(0, 64))).status
        assert status in {200, 302, 400, 403, 404, 405, 411, 413, 414, 415, 417, 431, 505}, head
        seen.add(status)
    assert {200, 400, 403, 404, 405} <= seen
    assert not project.stop_request.exists()


def test_three_thousand_random_requests_get_no_server_error(tmp_path: Path) -> None:
    fuzz(make_project(tmp_path / "project", recorded("running_training")), 3000, seed=1)


class Bytes:
    """The body of an upload, in pieces; one that is cut short breaks off."""

    def __init__(self, data: bytes, length: int) -> None:
        self._data = data
        self.left = length

    def read(self) -> bytes:
        if not self.left:
            return b""
        if not self._data:
            raise CutOff("the sender has gone")
        piece, self._data = self._data[: min(7, self.left)], self._data[min(7, self.left) :]
        self.left -= len(piece)
        return piece


def test_random_uploads_with_every_proof_write_into_their_import_alone(tmp_path: Path) -> None:
    draw = random.Random(6)
    project = make_project(tmp_path / "project", recorded("stopped"))
    imports = build_application(project, "127.0.0.1", 8080)._parts.imports
    asked = {"stream": "swinmae", "part": "train", "mode": "add", "files": 1000, "bytes": 10**6}
    number = imports.begin(asked)["id"]
    before = sorted(path for path in tmp_path.rglob("*") if ".import-" not in str(path))
    names = [
        "a.csv",
        "b.npy",
        "c.zip",
        "..",
        "%2e%2e%2f",
        "%00",
        "%5c",
        "CON",
        ".csv",
        "%c3%a4",
        "%ff",
        "&",
        "=",
    ]
    seen = set()
    for _ in range(800):
        query = f"import={number}&name=" + "".join(draw.choices(names, k=draw.randint(0, 3)))
        data = draw.choice([b"a,b\n1,2\n", b"PK\x03\x04", b"\x93NUMPY", b""]) + draw.randbytes(
            draw.randint(0, 9)
        )
        try:
            told = imports.receive(query, len(data), Bytes(data[: draw.choice([3, 99, 99])], len(data)))
            seen.add("saved" if told["saved"] else "refused")
        except Refusal as refusal:
            assert refusal.status in (400, 408)
            seen.add(refusal.status)
    assert seen == {"saved", "refused", 400, 408}
    assert before == sorted(path for path in tmp_path.rglob("*") if ".import-" not in str(path))
    (folder,) = (project.data / "local").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["import.json", "new"]
    kept = {entry["name"] for entry in imports.status()["open"][0]["saved"]}
    assert {path.name for path in (folder / "new").iterdir()} == kept


def test_random_bytes_on_the_socket_leave_the_server_alive(tmp_path: Path) -> None:
    draw = random.Random(2)
    with serving(make_project(tmp_path / "project", recorded("running_training"))) as site:
        for _ in range(150):
            talk_or_nothing(site.port, random_head(draw, site.port) + b"\r\n\r\n")
        good = talk(site.port, f"GET /api/identity HTTP/1.1\r\nHost: localhost:{site.port}\r\n\r\n".encode())
        assert good.status == 200


def talk_or_nothing(port: int, data: bytes) -> None:
    with suppress(IndexError, ValueError):  # a HEAD answer, or nothing at all: both are fine here
        assert talk(port, data, end=True).status in {
            200,
            302,
            400,
            403,
            404,
            405,
            411,
            413,
            414,
            415,
            417,
            431,
            505,
        }


@pytest.mark.slow
def test_a_hundred_thousand_random_requests_get_no_server_error_and_no_growth(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", recorded("running_training"))
    fuzz(project, 5000, seed=3)
    tracemalloc.start()
    fuzz(project, 95_000, seed=4)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4_000_000
