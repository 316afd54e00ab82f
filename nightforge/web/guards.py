"""Who may ask: Host for every request; Origin, fetch site and token for changes. Pure. # ops W2, W3, W4

"Bound to localhost" does not keep out the user's own browser: a hostile site can aim a name at 127.0.0.1
(DNS rebinding) or post a form. So names are compared whole, never by prefix, and every change needs a token
that only a page from this server can read.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from nightforge.web.messages import UPLOAD_PATH, Refusal, Request

TOKEN_HEADER = "x-nightforge-token"
HOST_NAMES = ("127.0.0.1", "localhost", "[::1]")
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

_JSON_TYPE = re.compile(r"application/json(;\s*charset=utf-8)?", re.IGNORECASE)


@dataclass(frozen=True)
class Gate:
    """What this server accepts: its own port and its own token."""

    port: int
    token: str

    def hosts(self) -> frozenset[str]:
        """Return the exact Host values that mean this server."""
        names = {f"{name}:{self.port}" for name in HOST_NAMES}
        return frozenset(names | set(HOST_NAMES)) if self.port == 80 else frozenset(names)

    def check(self, request: Request) -> None:
        """Let the request pass or raise Refusal; reads need the Host, changes need everything."""
        self._check_host(request)
        if request.method == "POST":
            self._check_origin(request)
            self._check_token(request)
            kind = request.headers.get("content-type", "")
            if request.path == UPLOAD_PATH:
                if kind.lower() != "application/octet-stream":
                    raise Refusal(415, "the body must be application/octet-stream: the bytes of one file")
            elif not _JSON_TYPE.fullmatch(kind):
                raise Refusal(415, "the body must be application/json")
        elif request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            self._check_foreign_read(request)

    def _check_host(self, request: Request) -> None:
        host = request.headers.get("host")
        if not host:
            raise Refusal(400, "the Host header is missing")
        if host.lower() not in self.hosts():
            raise Refusal(
                403,
                f"this server answers only as localhost:{self.port}; from elsewhere, forward the same port",
                f"ssh -L {self.port}:127.0.0.1:{self.port} USER@THIS-COMPUTER",
            )

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts()}:
            raise Refusal(403, "the change was asked by another site (Origin)")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refusal(403, "the change was asked by another site (Sec-Fetch-Site)")

    def _check_token(self, request: Request) -> None:
        given = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8"), self.token.encode("utf-8")):
            raise Refusal(403, "the token is missing or from an earlier server; reload the page")

    @staticmethod
    def _check_foreign_read(request: Request) -> None:
        # A link from elsewhere may open a page; data and scripts are for our own pages only.
        if request.headers.get("sec-fetch-mode") != "navigate" or request.path.startswith(
            ("/api/", "/logs/", "/results/")
        ):
            raise Refusal(403, "the data was asked for by another site")
