"""An nginx of our own in front of `serve`: it ends TLS and takes a prefix off the paths."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.real.parts import NGINX, free_port, listens, running

# Everything else is as nginx has it by default: it speaks HTTP/1.0 to what is behind it, under
# another name. It keeps no log of requests, whose paths hold tokens.
_CONFIGURATION = """
daemon off;
{user}
pid {here}/pid;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {here}/body;
  proxy_temp_path {here}/proxy;
  fastcgi_temp_path {here}/fastcgi;
  uwsgi_temp_path {here}/uwsgi;
  scgi_temp_path {here}/scgi;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {here}/certificate.pem;
    ssl_certificate_key {here}/certificate.pem;
    location /hooks/ {{ proxy_pass http://127.0.0.1:{behind}/; }}
  }}
}}
"""


class Nginx:
    """An instance in a directory, on two ports, before a server on the port *behind*."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self._plain, self._tls = free_port(), free_port()
        self.behind = free_port()
        self.authority = directory / "authority.pem"
        self._make_certificate()
        text = _CONFIGURATION.format(
            # Without it, root's nginx works as a user who cannot enter the folder.
            user="user root;" if os.geteuid() == 0 else "",
            here=directory,
            plain=self._plain,
            tls=self._tls,
            behind=self.behind,
        )
        (directory / "nginx.conf").write_text(text, "utf-8")

    @property
    def plain_url(self) -> str:
        return f"http://127.0.0.1:{self._plain}/hooks"

    @property
    def tls_url(self) -> str:
        return f"https://127.0.0.1:{self._tls}/hooks"

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Run it for the time of the block."""
        here = self._directory
        command = NGINX.command("-e", "stderr", "-p", str(here), "-c", str(here / "nginx.conf"))
        with running(command, here / "nginx.log", lambda: listens(self._tls)):
            yield

    def _make_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        certificate.write_to_path(self._directory / "certificate.pem")
