"""The nginx of docs/operate/install.md lets in what has to come in, and keeps the rest outside."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.docs.documents import document
from tests.real.nginx import Nginx
from tests.real.parts import NGINX, PATIENCE

pytestmark = NGINX.marks()

_OURS = {
    "listen 443 ssl": "listen TLS ssl",
    "server 127.0.0.1:8080": "server BEHIND",
    "/etc/ssl/claims.example.com.pem": "CERTIFICATE",
    "/etc/ssl/private/claims.example.com.key": "CERTIFICATE",
}
"""What is different on this machine."""


class _Behind(BaseHTTPRequestHandler):
    """Answers everything with the path that came in, and how long its body was."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {len(body)}".encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client from outside, over TLS, of the nginx that the page shows."""
    [site] = document("docs/operate/install.md").code("nginx")
    for shown, ours in _OURS.items():
        assert shown in site
        site = site.replace(shown, ours)
    nginx = Nginx(tmp_path / "nginx", site)
    server = ThreadingHTTPServer(("127.0.0.1", nginx.behind), _Behind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        context = ssl.create_default_context(cafile=nginx.authority)
        with (
            nginx.run(),
            httpx.Client(
                base_url=f"https://{nginx.address}",
                verify=context,
                trust_env=False,
                timeout=PATIENCE,
            ) as client,
        ):
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_paths_for_the_outside_are_let_in(outside: httpx.Client) -> None:
    for path in ("fulfillment/t", "twilio/t", "twilio/inbound", "bounces/t"):
        assert outside.post(f"/webhooks/{path}").text == f"/webhooks/{path} 0"
    assert outside.get("/unsubscribe/t").text == "/unsubscribe/t 0"
    assert outside.post("/unsubscribe/t").text == "/unsubscribe/t 0"


def test_the_largest_bounce_comes_in(outside: httpx.Client) -> None:
    size = (1 << 20) + (1 << 17)  # what `serve` reads of a request at most
    answer = outside.post("/webhooks/bounces/t", content=bytes(size))
    assert answer.text == f"/webhooks/bounces/t {size}"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/", "/metrics/"])
def test_what_is_not_public_stays_outside(outside: httpx.Client, path: str) -> None:
    assert outside.get(path).status_code == 404
    assert outside.post(path).status_code == 404
