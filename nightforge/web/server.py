"""Sockets: read one request within its limits, ask the application, write the answer. # ops W5, W7, W8"""

from __future__ import annotations

import contextlib
import http
import os
import secrets
import socket
import socketserver
import sys
import threading
import time
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from typing import Any

from nightforge import __version__
from nightforge.core.atomic import sha256_text
from nightforge.core.clock import utc_now
from nightforge.core.paths import Project
from nightforge.web.anomaly_data import AnomalyData
from nightforge.web.anomaly_overview import Overview
from nightforge.web.application import Application, Parts, ServerFacts
from nightforge.web.assets import fingerprint, load_assets
from nightforge.web.changes import Changes
from nightforge.web.guards import Gate
from nightforge.web.imports import Imports
from nightforge.web.messages import (
    CONNECTION_LIMIT,
    HEAD_LIMIT,
    METHODS,
    READ_TIMEOUT_S,
    REQUEST_LINE_LIMIT,
    REQUEST_TIMEOUT_S,
    UPLOAD_LIMIT,
    UPLOAD_PATH,
    Refusal,
    Request,
    Response,
)
from nightforge.web.project_data import ProjectData
from nightforge.web.streaming import OpenFile, SocketBody, linger
from nightforge.web.wire import body_length, parse_head

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A report is a page that a stage wrote, with names from the user's files in it: no script, no request, and
# an origin of its own, so that it could not read the token even if a script ran.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
_SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
)
_RECEIVE = 8 * 1024  # bytes per read


class DashboardServer(ThreadingHTTPServer):
    """A threading server with a connection cap, no name look-ups and no way to share its port."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows plain reuse lets two servers share a port; ops P7
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.application = application
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        """Bind without asking the DNS for our own name, which can block for seconds."""
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        if exclusive is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the connection, or turn it away at once when too many are open."""
        with self._open_lock:
            full = len(self._open) >= CONNECTION_LIMIT
            if not full:
                self._open.add(request)
        if not full:
            super().process_request(request, client_address)
            return
        refusal = Refusal(503, f"more than {CONNECTION_LIMIT} connections are open; close a tab").response()
        with contextlib.suppress(OSError):  # the one turned away may have gone already
            request.settimeout(0.5)
            request.sendall(render(refusal, "GET", None))
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    def server_close(self) -> None:
        """Stop listening and end the connections that browsers keep open."""
        super().server_close()
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):  # its own thread may have closed it just now
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away; anything else goes to the server's log."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Connection(socketserver.BaseRequestHandler):
    """One connection: requests one after the other until either side closes."""

    server: DashboardServer
    request: socket.socket

    def setup(self) -> None:
        """Begin with nothing received; answers leave at once (no Nagle delay)."""
        self._received = b""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self) -> None:
        """Answer requests until the connection ends."""
        while self._handle_one():
            pass

    def _handle_one(self) -> bool:
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        request: Request | None = None
        try:
            head = self._read_head(deadline)
            if head is None:
                return False
            request = parse_head(head)
            if request.method == "POST" and request.path == UPLOAD_PATH:
                return self._upload(request)
            body = self._read_body(body_length(request), deadline)
            request = Request(request.method, request.path, request.query, request.headers, body)
            response = self.server.application.respond(request)
        except Refusal as refusal:
            response = refusal.response()
        except TimeoutError:
            response = Refusal(408, "the request took too long to arrive").response()
        keep = request is not None and not response.close and self._may_stay(request)
        method = request.method if request is not None else "GET"
        known = request.headers.get("if-none-match") if request is not None else None
        if response.file is not None:
            return self._send_file(response, method, keep)
        self.request.settimeout(READ_TIMEOUT_S)
        self.request.sendall(render(response, method, known, keep))
        return keep

    def _upload(self, request: Request) -> bool:
        """Hand the body of an upload on as it comes; other connections are served meanwhile."""
        length = body_length(request, UPLOAD_LIMIT)
        body = SocketBody(self.request, self._received, length)
        self._received = self._received[length:]
        try:
            response = self.server.application.upload(request, length, body)
        except Refusal as refusal:
            response = refusal.response()
        keep = not response.close and self._may_stay(request)
        self.request.settimeout(READ_TIMEOUT_S)
        self.request.sendall(render(response, request.method, None, keep))
        if body.left:
            linger(self.request)
        return keep

    def _send_file(self, response: Response, method: str, keep: bool) -> bool:
        assert response.file is not None
        self.request.settimeout(READ_TIMEOUT_S)
        try:
            file = OpenFile(response.file)
        except OSError as error:
            words = f"{response.file.name} cannot be read: {error.strerror or error}"
            self.request.sendall(render(Refusal(503, words).response(), method, None))
            return False
        with contextlib.closing(file):
            self.request.sendall(render(response, "HEAD", None, keep, file.size))
            whole = method == "HEAD" or file.send(self.request)
        return keep and whole

    def _may_stay(self, request: Request) -> bool:
        # Beyond half of the places a connection is closed after its answer, so that many tabs share them.
        if self.server.connections > CONNECTION_LIMIT // 2:
            return False
        return request.headers.get("connection", "keep-alive").lower() != "close"

    def _read_head(self, deadline: float) -> bytes | None:
        """Return the head without its empty line, None when the client closed between requests."""
        while True:
            end = self._received.find(b"\r\n\r\n")
            line_end = self._received.find(b"\r\n")
            if (line_end if line_end >= 0 else len(self._received)) > REQUEST_LINE_LIMIT:
                raise Refusal(414, f"the request line is longer than {REQUEST_LINE_LIMIT} bytes")
            if (end if end >= 0 else len(self._received)) > HEAD_LIMIT:
                raise Refusal(431, f"the headers are longer than {HEAD_LIMIT} bytes")
            if end >= 0:
                head, self._received = self._received[:end], self._received[end + 4 :]
                return head
            began = bool(self._received)
            try:
                more = self._receive(deadline)
            except TimeoutError:
                if began:
                    raise
                return None  # an idle kept connection; nothing was asked
            if not more:
                if began:
                    raise Refusal(400, "the request ends in the middle of its head")
                return None

    def _read_body(self, length: int, deadline: float) -> bytes:
        while len(self._received) < length:
            if not self._receive(deadline):
                raise Refusal(400, "the body is shorter than its Content-Length")
        body, self._received = self._received[:length], self._received[length:]
        return body

    def _receive(self, deadline: float) -> bool:
        left = min(READ_TIMEOUT_S, deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError
        self.request.settimeout(left)
        try:
            data = self.request.recv(_RECEIVE)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)


def render(
    response: Response,
    method: str,
    if_none_match: str | None,
    keep: bool = False,
    size: int | None = None,
) -> bytes:
    """Write an answer as HTTP/1.1 bytes; a client that has the same version gets 304 and no body.

    `size` is the length of a body that is sent on its own.
    """
    status, body = response.status, response.body
    if response.etag is not None and if_none_match is not None and response.etag in _tags(if_none_match):
        status, body = 304, b""
    policy = _REPORT_POLICY if response.report else _PAGE_POLICY
    headers = [("Date", formatdate(usegmt=True)), ("Content-Security-Policy", policy), *_SECURITY_HEADERS]
    headers.append(("Cache-Control", "no-cache" if response.etag else "no-store"))
    if response.etag is not None:
        headers.append(("ETag", response.etag))
    if response.location is not None:
        headers.append(("Location", response.location))
    if response.download is not None:
        headers.append(("Content-Disposition", f'attachment; filename="{response.download}"'))
    if status == 405:
        headers.append(("Allow", ", ".join(METHODS)))
    if status != 304:
        length = len(body) if size is None else size
        headers += [("Content-Type", response.content_type), ("Content-Length", str(length))]
    headers.append(("Connection", "keep-alive" if keep else "close"))
    lines = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if method == "HEAD" else head + body


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def root_hash(project: Project) -> str:
    """Return what tells this project's server from another's: a hash of the real root path."""
    return sha256_text(str(project.root.resolve()))[:16]


def build_application(project: Project, host: str, port: int) -> Application:
    """Put together what one server answers, with a fresh token of 256 random bits."""
    assets = load_assets()
    data = ProjectData(project)
    facts = ServerFacts(
        pid=os.getpid(),
        host=host,
        port=port,
        version=__version__,
        root_hash=root_hash(project),
        assets=fingerprint(assets),
        started_at=utc_now(),
    )
    gate = Gate(port=port, token=secrets.token_urlsafe(32))
    imports = Imports(project)
    imports.put_right()
    anomaly = AnomalyData(project)
    changes = Changes(project, data, imports)
    overview = Overview(project, data, anomaly, imports)
    return Application(Parts(facts, gate, assets, data, changes, project, anomaly, overview, imports))


def open_servers(project: Project, host: str, port: int) -> list[DashboardServer]:
    """Bind loopback (IPv4, and IPv6 where the computer has it); raises OSError when the port is taken.

    Port 0 takes any free port (tests). `localhost` in a browser may mean either address family.
    """
    first = "127.0.0.1" if host == "localhost" else host
    probe = (
        socket.create_server((first, port), family=_family(first), reuse_port=False) if port == 0 else None
    )
    if probe is not None:
        port = int(probe.getsockname()[1])
        probe.close()
    application = build_application(project, host, port)
    servers = [DashboardServer((first, port), application)]
    if first == "127.0.0.1" and socket.has_ipv6:
        # No IPv6 loopback here, or its port is another program's: IPv4 alone serves every page.
        with contextlib.suppress(OSError):
            servers.append(DashboardServer(("::1", port), application))
    return servers


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
