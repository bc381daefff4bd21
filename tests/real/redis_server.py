"""A Redis of our own, set up as its operator would: a user with few rights, TLS, a socket."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import trustme
from redis import Redis, RedisError

from tests.real.parts import REDIS, free_port, running

USER, PASSWORD = "claimcast", "p@ss/word:1?"
_DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
# Our user may not flush, shut down, reconfigure or watch the server. The default user keeps its
# rights: where it is off, Redis 7.0 drops every transaction when it loads its append-only file
# (https://github.com/redis/redis/issues/14541).
_CONFIGURATION = """
bind 127.0.0.1
port 0
tls-port {port}
tls-cert-file {here}/certificate.pem
tls-key-file {here}/certificate.pem
tls-ca-cert-file {here}/authority.pem
tls-auth-clients no
unixsocket {here}/socket
unixsocketperm 700
dir {here}
save ""
requirepass {password}
user {user} on >{password} ~* &* +@all -@dangerous +info +config|get +bgrewriteaof
"""


class RedisServer:
    """
    A server on a directory; it may be run again and again, and its data stays.

    *settings* stand in for those that claimcast wants.
    """

    def __init__(self, directory: Path, **settings: str) -> None:
        directory.mkdir()
        self._directory = directory
        self._port = free_port()
        self._make_certificate()
        places = {"here": directory, "port": self._port, "user": USER, "password": PASSWORD}
        lines = [f"{name} {value}" for name, value in (_DURABLE | settings).items()]
        text = _CONFIGURATION.format(**places) + "\n".join(lines) + "\n"
        (directory / "redis.conf").write_text(text, "utf-8")

    @property
    def tls_url(self) -> str:
        authority = quote(str(self._directory / "authority.pem"))
        return f"rediss://{_LOGIN}@127.0.0.1:{self._port}/0?ssl_ca_certs={authority}"

    @property
    def socket_url(self) -> str:
        return f"unix://{_LOGIN}@{self._directory}/socket"

    @contextlib.contextmanager
    def run(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run it for the time of the block, at whose end it dies by SIGKILL."""
        command = REDIS.command(str(self._directory / "redis.conf"))
        with running(command, self._directory / "redis.log", self._answers, kill=True) as process:
            yield process

    def keys(self) -> int:
        """Return how many keys there are."""
        with Redis.from_url(self.socket_url) as client:
            found = client.dbsize()
            assert isinstance(found, int)
            return found

    def _answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError), Redis.from_url(self.socket_url) as client:
            return bool(client.ping())
        return False

    def _make_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self._directory / "authority.pem")
        certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        certificate.write_to_path(self._directory / "certificate.pem")


_LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"
