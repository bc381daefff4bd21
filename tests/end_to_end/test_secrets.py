"""After a run over TLS with a login, look everywhere for what must be nowhere."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.fernet import Fernet
from redis import Redis

from tests.end_to_end.support.world import World, judge, live_values, open_world
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 120
PASSWORD = "mail-password-5f1b"


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A mail server that wants STARTTLS with a certificate of our own authority, and a login."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    options = ["--smtp-security", "starttls", "--smtp-certificate", str(tmp_path / "server.pem")]
    options += ["--smtp-user", "mailer", "--smtp-password", PASSWORD, "--async-above", "50"]
    with open_world(tmp_path, *options) as found:
        found.env |= {
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
            "CLAIMCAST_SMTP__SECURITY": "starttls",
            "CLAIMCAST_SMTP__USERNAME": "mailer",
            "CLAIMCAST_SMTP__PASSWORD": PASSWORD,
            "CLAIMCAST_LOG_FORMAT": "json",
        }
        yield found


@contextlib.contextmanager
def overheard(server: EmbeddedValkey) -> Iterator[bytearray]:
    """Collect every command that reaches the server, as MONITOR shows it."""
    heard = bytearray()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(server.url).removeprefix("unix://"))
        line.sendall(b"MONITOR\r\n")

        def listen() -> None:
            while part := line.recv(65536):
                heard.extend(part)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            line.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_no_secret_and_no_address_rests_or_is_logged_in_clear(secured: World) -> None:
    new = Fernet.generate_key().decode()
    with EmbeddedValkey(secured.directory / "state") as server:
        server.start_or_join()
        with overheard(server) as heard:
            shown = secured.run("run", *secured.campaign(PEOPLE))
            judge(secured, PEOPLE)
            secured.run("report", "e2e", "--format", "csv", "--output", "report.csv")
            shown += secured.run("recipient", "e2e", "r7")
            secured.run("suppress", "add", "--email", "person-9@example.com")
            secret = (secured.directory / "state" / "secret.keys").read_text().strip()
            secured.env["CLAIMCAST_SECRET_KEYS"] = f"{new},{secret}"
            shown += secured.run("rekey")
            secured.env["CLAIMCAST_SECRET_KEYS"] = new
            shown += secured.run("doctor") + secured.run("verify", "e2e") + secured.run("audit")
        with Redis.from_url(server.url) as redis:
            resting = live_values(redis)
            keys = redis.dbsize()
    links = [link for order in secured.account()["orders"] for link in order["links"]]
    assert len(links) == PEOPLE
    token = secured.addresses["access_token"]
    assert keys > 5, "an empty server proves nothing"
    assert heard.count(b"EVALSHA") > 10, "a line that heard nothing proves nothing"
    places = {"redis": resting, "log": (secured.directory / "run.log").read_bytes()}
    places |= {"commands": bytes(heard), "output": shown.encode()}
    places["report"] = (secured.directory / "report.csv").read_bytes()
    # The append-only file also holds what was deleted since: every arq payload, for one.
    for file in (secured.directory / "state").rglob("*"):
        if file.is_file() and file.name != "secret.keys":
            places[file.name] = file.read_bytes()
    assert any("aof" in name for name in places)
    forbidden = [PASSWORD, token, secret, new, "Zoë", "Zo\\xc3", *links]
    forbidden += ["person-7@", "person-9@"]
    forbidden += [link.rsplit("/", 1)[1] for link in links]
    for where, text in places.items():
        hits = [word for word in forbidden if word.encode() in text]
        assert not hits, f"{where} shows {hits[:3]}"
