"""Whatever is sent that a page would not send is refused, with words, and nothing is changed."""

from __future__ import annotations

import json
import socket

import pytest
from links import make_link
from web_sites import RUN_ID, Site, ask, make_project, recorded, serving, talk


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    project = make_project(tmp_path_factory.mktemp("attack") / "project", recorded("running_training"))
    (project.root / "secret.txt").write_text("secret")
    outside = project.root.parent / "outside.log"
    outside.write_text("secret")
    (project.run_dir(RUN_ID) / "06.log").unlink()
    make_link(project.run_dir(RUN_ID) / "06.log", outside)
    make_link(project.runs / "20260101-000000-aaaa", project.root.parent, is_folder=True)
    with serving(project) as running:
        yield running


# name, request head with {port} and {token} filled in, accepted statuses
READS = [
    ("evil host", "GET /api/status HTTP/1.1\r\nHost: evil.example:{port}\r\n", {403}),
    ("our address as a prefix", "GET /api/status HTTP/1.1\r\nHost: 127.0.0.1.evil.example:{port}\r\n", {403}),
    ("our name as a prefix", "GET / HTTP/1.1\r\nHost: localhost.evil.example:{port}\r\n", {403}),
    ("our address as a suffix", "GET / HTTP/1.1\r\nHost: evil127.0.0.1:{port}\r\n", {403}),
    ("user part before the host", "GET / HTTP/1.1\r\nHost: x@127.0.0.1:{port}\r\n", {403}),
    ("another port", "GET / HTTP/1.1\r\nHost: localhost:1\r\n", {403}),
    ("no port", "GET / HTTP/1.1\r\nHost: localhost\r\n", {403}),
    ("port with a zero before it", "GET / HTTP/1.1\r\nHost: localhost:0{port}\r\n", {403}),
    ("all addresses", "GET / HTTP/1.1\r\nHost: 0.0.0.0:{port}\r\n", {403}),
    ("short form of loopback", "GET / HTTP/1.1\r\nHost: 127.1:{port}\r\n", {403}),
    ("loopback as a number", "GET / HTTP/1.1\r\nHost: 2130706433:{port}\r\n", {403}),
    ("dot after the name", "GET / HTTP/1.1\r\nHost: localhost.:{port}\r\n", {403}),
    ("no host", "GET / HTTP/1.1\r\nAccept: */*\r\n", {400}),
    ("empty host", "GET / HTTP/1.1\r\nHost:\r\n", {400}),
    ("two hosts", "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n", {400}),
    ("two equal hosts", "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nhost: localhost:{port}\r\n", {400}),
    ("host folded over two lines", "GET / HTTP/1.1\r\nHost: evil.example\r\n localhost:{port}\r\n", {400}),
    ("header with a blank before the colon", "GET / HTTP/1.1\r\nHost : localhost:{port}\r\n", {400}),
    ("header without a colon", "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nnonsense\r\n", {400}),
    ("bare line feeds", "GET / HTTP/1.1\nHost: localhost:{port}\n\r\n", {400}),
    ("null byte in a header", "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nX: a\0b\r\n", {400}),
    (
        "another site reads data",
        "GET /api/status HTTP/1.1\r\nHost: localhost:{port}\r\nSec-Fetch-Site: cross-site\r\n",
        {403},
    ),
    (
        "another site embeds the page",
        "GET /dashboard/live.html HTTP/1.1\r\nHost: localhost:{port}\r\n"
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
        {403},
    ),
    ("absolute target", "GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n", {400}),
    ("target without a slash", "GET api/status HTTP/1.1\r\nHost: localhost:{port}\r\n", {400}),
    ("body on a read", "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 5\r\n", {400}),
    ("upgrade to HTTP/2", "PRI * HTTP/2.0\r\nHost: localhost:{port}\r\n", {400, 405, 505}),
    ("version 1.9", "GET / HTTP/1.9\r\nHost: localhost:{port}\r\n", {505}),
    ("no version", "GET /\r\nHost: localhost:{port}\r\n", {400}),
    ("two blanks in the request line", "GET  / HTTP/1.1\r\nHost: localhost:{port}\r\n", {400}),
    ("token in the query", "GET /api/status?token={token} HTTP/1.1\r\nHost: localhost:{port}\r\n", {400}),
    ("long request line", "GET /" + "a" * 3000 + " HTTP/1.1\r\nHost: localhost:{port}\r\n", {414}),
    ("long header", "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nX: " + "a" * 17000 + "\r\n", {431}),
    (
        "many headers",
        "GET / HTTP/1.1\r\nHost: localhost:{port}\r\n" + "".join(f"X{n}: 1\r\n" for n in range(90)),
        {431},
    ),
]

PATHS = [
    "/..",
    "/../secret.txt",
    "/dashboard/../secret.txt",
    "/dashboard/..%20/secret.txt",
    "/dashboard/%2e%2e/secret.txt",
    "/dashboard/..%5csecret.txt",
    "/dashboard%5c..%5csecret.txt",
    "/dashboard\\..\\secret.txt",
    "/secret.txt",
    "/dashboard/live.html:$I30",
    "/dashboard/live.html::$DATA",
    "/dashboard/live.html.",
    "/dashboard//live.html",
    "/dashboard/live.html%00.css",
    "/dashboard/LIVE.HTML",
    "/dashboard/CON",
    "/dashboard/.git/config",
    "/.git/config",
    "/logs/../secret.txt",
    "/logs/dashboard_server.pid",
    "/logs/dashboard_changes.jsonl",
    "/logs/",
    "/results/",
    "/pipeline_config.json",
    "/api/runs/../../secret.txt",
    f"/api/runs/{RUN_ID}/../x",
    "/api/runs/20200101-000000-ffff",
    "/api/runs/20260101-000000-aaaa",
    "/api/runs/x",
    f"/api/runs/{RUN_ID}/secret",
    f"/api/runs/{RUN_ID}/log/99",
    f"/api/runs/{RUN_ID}/log/..",
    f"/api/runs/{RUN_ID}/log/04.log",
    f"/api/runs/{RUN_ID}/log/04?offset=-1",
    f"/api/runs/{RUN_ID}/log/04?offset=1e9",
    f"/api/runs/{RUN_ID}/log/04?offset=1&offset=2",
    f"/api/runs/{RUN_ID}/log/04?file=/etc/passwd",
    f"/api/runs/{RUN_ID}?x=1",
    "/api/stop",
    "/api/train",
    "/%61pi/status",
    "/api/runs/20260101-000000-aaaa/log/04",
    f"/api/runs/{RUN_ID}/log/06",
    f"/api/runs/{RUN_ID}/log/06/file",
]

METHODS = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "JEFF", "POSTX"]

POST_LINE = "POST /api/stop HTTP/1.1\r\nHost: localhost:{port}\r\n"
JSON = "Content-Type: application/json\r\n"
TOKEN = "X-Nightforge-Token: {token}\r\n"
BODY = json.dumps({"request_id": "attack-0001"})
LENGTH = f"Content-Length: {len(BODY)}\r\n"

CHANGES = [
    ("no token", POST_LINE + JSON + LENGTH, {403}),
    ("empty token", POST_LINE + JSON + LENGTH + "X-Nightforge-Token:\r\n", {403}),
    ("wrong token", POST_LINE + JSON + LENGTH + "X-Nightforge-Token: " + "A" * 43 + "\r\n", {403}),
    ("beginning of the token", POST_LINE + JSON + LENGTH + "X-Nightforge-Token: {token_part}\r\n", {403}),
    ("token with non-ASCII", POST_LINE + JSON + LENGTH + "X-Nightforge-Token: \xe9\r\n", {403}),
    ("token given twice", POST_LINE + JSON + LENGTH + TOKEN + TOKEN, {400}),
    ("token as a cookie", POST_LINE + JSON + LENGTH + "Cookie: X-Nightforge-Token={token}\r\n", {403}),
    (
        "token in the query",
        "POST /api/stop?token={token} HTTP/1.1\r\nHost: localhost:{port}\r\n" + JSON + LENGTH,
        {400, 403},
    ),
    ("null origin", POST_LINE + JSON + LENGTH + TOKEN + "Origin: null\r\n", {403}),
    ("evil origin", POST_LINE + JSON + LENGTH + TOKEN + "Origin: http://evil.example\r\n", {403}),
    (
        "our origin as a prefix",
        POST_LINE + JSON + LENGTH + TOKEN + "Origin: http://localhost:{port}.evil.example\r\n",
        {403},
    ),
    (
        "our origin with https",
        POST_LINE + JSON + LENGTH + TOKEN + "Origin: https://localhost:{port}\r\n",
        {403},
    ),
    ("our origin, other port", POST_LINE + JSON + LENGTH + TOKEN + "Origin: http://localhost:1\r\n", {403}),
    ("empty origin", POST_LINE + JSON + LENGTH + TOKEN + "Origin:\r\n", {403}),
    ("same site, not origin", POST_LINE + JSON + LENGTH + TOKEN + "Sec-Fetch-Site: same-site\r\n", {403}),
    ("form", POST_LINE + LENGTH + TOKEN + "Content-Type: application/x-www-form-urlencoded\r\n", {415}),
    ("plain text", POST_LINE + LENGTH + TOKEN + "Content-Type: text/plain\r\n", {415}),
    ("no type", POST_LINE + LENGTH + TOKEN, {415}),
    ("evil host", POST_LINE.replace("localhost:{port}", "evil.example") + JSON + LENGTH + TOKEN, {403}),
    ("no length", POST_LINE + JSON + TOKEN, {411}),
    ("negative length", POST_LINE + JSON + TOKEN + "Content-Length: -1\r\n", {400}),
    ("length in hex", POST_LINE + JSON + TOKEN + "Content-Length: 0x10\r\n", {400}),
    ("two lengths", POST_LINE + JSON + TOKEN + LENGTH + LENGTH, {400}),
    ("large body", POST_LINE + JSON + TOKEN + "Content-Length: 16385\r\n", {413}),
    ("huge length", POST_LINE + JSON + TOKEN + "Content-Length: 99999999999999999999\r\n", {400, 413}),
    ("chunked", POST_LINE + JSON + TOKEN + "Transfer-Encoding: chunked\r\n", {411}),
    ("chunked and length", POST_LINE + JSON + TOKEN + LENGTH + "Transfer-Encoding: chunked\r\n", {411}),
    ("expect", POST_LINE + JSON + TOKEN + LENGTH + "Expect: 100-continue\r\n", {417}),
    (
        "change where nothing changes",
        (POST_LINE + JSON + TOKEN + LENGTH).replace("/api/stop", "/api/status"),
        {405},
    ),
    (
        "change of the state file",
        (POST_LINE + JSON + TOKEN + LENGTH).replace("/api/stop", "/logs/pipeline_live_state.json"),
        {405},
    ),
    ("change of nothing", (POST_LINE + JSON + TOKEN + LENGTH).replace("/api/stop", "/api/evil"), {404}),
]

BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"x"',
    b"\xff\xfe",
    b"[" * 9000,
    b"{}",
    b'{"request_id": 1}',
    b'{"request_id": "short"}',
    b'{"request_id": "../../etc/x"}',
    b'{"request_id": "attack-0002", "evil": 1}',
    b'{"request_id": "attack-0003", "run_id": "other"}',
    b'{"request_id": "attack-0004", "run_id": {}}',
]


def fill(text: str, site: Site) -> bytes:
    """Put port and token into a request and end its head."""
    text = (
        text.replace("{port}", str(site.port))
        .replace("{token_part}", site.token[:20])
        .replace("{token}", site.token)
    )
    return (text + "\r\n").encode("latin-1")


def check_refused(answer, accepted: set[int], site: Site) -> None:
    assert answer.status in accepted, answer
    assert "secret" not in answer.body
    assert json.loads(answer.body)["error"]["message"]
    assert site.token not in answer.body
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("name", "head", "accepted"), READS, ids=[row[0] for row in READS])
def test_a_read_that_no_page_sends_is_refused(site: Site, name: str, head: str, accepted: set[int]) -> None:
    check_refused(talk(site.port, fill(head, site)), accepted, site)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_outside_the_fixed_map_is_refused(site: Site, path: str) -> None:
    if "/log/06" in path and not (site.project.run_dir(RUN_ID) / "06.log").is_symlink():
        pytest.skip("this system makes no symbolic links")
    head = f"GET {path} HTTP/1.1\r\nHost: localhost:{{port}}\r\n"
    check_refused(talk(site.port, fill(head, site)), {400, 404, 503}, site)


@pytest.mark.parametrize("method", METHODS)
def test_every_other_method_is_refused_before_routing(site: Site, method: str) -> None:
    answer = talk(site.port, fill(f"{method} /api/status HTTP/1.1\r\nHost: localhost:{{port}}\r\n", site))
    check_refused(answer, {405}, site)
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(("name", "head", "accepted"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_without_every_proof_is_refused(
    site: Site, name: str, head: str, accepted: set[int]
) -> None:
    check_refused(talk(site.port, fill(head, site) + BODY.encode()), accepted, site)
    assert not site.project.stop_request.exists()


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_change_with_a_wrong_body_is_refused(site: Site, body: bytes) -> None:
    head = fill(POST_LINE + JSON + TOKEN + f"Content-Length: {len(body)}\r\n", site)
    check_refused(talk(site.port, head + body), {400, 409}, site)
    assert not site.project.stop_request.exists()


def test_a_refused_change_cannot_smuggle_a_second_request(site: Site) -> None:
    second = fill("GET /api/status HTTP/1.1\r\nHost: localhost:{port}\r\n", site)
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(fill(POST_LINE + JSON + TOKEN + "Transfer-Encoding: chunked\r\n", site) + second)
        said = b""
        while data := connection.recv(65536):
            said += data
    assert said.count(b"HTTP/1.1 ") == 1


def test_a_short_body_is_answered_when_the_sender_gives_up(site: Site) -> None:
    head = fill(POST_LINE + JSON + TOKEN + "Content-Length: 100\r\n", site)
    answer = talk(site.port, head + b"{", end=True)
    assert answer.status == 400


def test_a_slow_sender_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightforge.web.server.REQUEST_TIMEOUT_S", 0.2)
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(b"GET / HT")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_too_many_connections_are_turned_away_and_places_come_back(site: Site) -> None:
    open_ones = [socket.create_connection(("127.0.0.1", site.port), timeout=5) for _ in range(40)]
    try:
        extra = open_ones[-1].recv(65536)
        assert extra.startswith(b"HTTP/1.1 503 ") and b"close a tab" in extra
    finally:
        for connection in open_ones:
            connection.close()
    assert _eventually_answers(site)


def _eventually_answers(site: Site) -> bool:
    return any(ask(site, "/api/identity").status == 200 for _ in range(200))
