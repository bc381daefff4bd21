"""An nginx of our own in front of `serve`: it ends TLS, and lets in what its site says."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.real.parts import NGINX, free_port, listens, running

# Everything else is as nginx has it by default: it speaks HTTP/1.0 to what is behind it, under
# another name. It keeps no log of requests, whose paths hold tokens.
_FRAME = """
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
  include {here}/site.conf;
}}
"""
_PREFIXED = """
server {
  listen PLAIN;
  listen TLS ssl;
  ssl_certificate CERTIFICATE;
  ssl_certificate_key CERTIFICATE;
  location /hooks/ { proxy_pass http://BEHIND/; }
}
"""
"""Takes a prefix off the paths."""


class Nginx:
    """
    An instance in a directory, on two ports, before a server on the port *behind*.

    In its *site* the words PLAIN, TLS and BEHIND stand for addresses, CERTIFICATE for a file.
    """

    def __init__(self, directory: Path, site: str = _PREFIXED) -> None:
        directory.mkdir()
        self._directory = directory
        self._plain, self._tls = free_port(), free_port()
        self.behind = free_port()
        self.authority = directory / "authority.pem"
        self._make_certificate()
        frame = _FRAME.format(
            # Without it, root's nginx works as a user who cannot enter the folder.
            user="user root;" if os.geteuid() == 0 else "",
            here=directory,
        )
        words = {
            "PLAIN": f"127.0.0.1:{self._plain}",
            "TLS": self.address,
            "BEHIND": f"127.0.0.1:{self.behind}",
            "CERTIFICATE": f"{directory}/certificate.pem",
        }
        for word, meaning in words.items():
            site = site.replace(word, meaning)
        (directory / "nginx.conf").write_text(frame, "utf-8")
        (directory / "site.conf").write_text(site, "utf-8")

    @property
    def address(self) -> str:
        """Where it speaks TLS."""
        return f"127.0.0.1:{self._tls}"

    @property
    def plain_url(self) -> str:
        return f"http://127.0.0.1:{self._plain}/hooks"

    @property
    def tls_url(self) -> str:
        return f"https://{self.address}/hooks"

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
