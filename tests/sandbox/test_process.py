"""The sandbox as a process: what it prints, how it ends, what it says about mistakes."""

import json
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from sandbox.cli import command
from sandbox.faults import KINDS, Switches
from tests.sandbox.driving import an_order


@contextmanager
def a_process(directory: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-m", "sandbox", "--dir", str(directory), *more]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def order_once(addresses: dict[str, str]) -> int:
    with httpx.Client(base_url=addresses["base_url"], trust_env=False, timeout=60) as http:
        headers = {"Email": addresses["email"], "AccessToken": addresses["access_token"]}
        token = http.post("/v1/Tokens", headers=headers).json()["Value"]
        bearer = {"Authorization": f"Bearer {token}"}
        return http.post("/v1/Orders", json=an_order(), headers=bearer).status_code


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_process_says_where_it_is_and_ends_on_a_signal(
    tmp_path: Path, stop: signal.Signals
) -> None:
    ready = tmp_path / "ready.json"
    with a_process(tmp_path / "sandbox", "--ready-file", str(ready)) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        assert order_once(addresses) == 201
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=60)

    assert (process.returncode, rest, errors) == (0, "", "")
    assert json.loads(ready.read_text()) == addresses


def test_connections_break_as_asked_on_the_loop_of_the_process(tmp_path: Path) -> None:
    """The process runs on uvloop, whose transports differ from those of the other tests."""
    with a_process(tmp_path, "--fault", "order_reset_after_commit=1") as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        with pytest.raises(httpx.TransportError):
            order_once(addresses)
        with (
            smtplib.SMTP(addresses["smtp_host"], addresses["smtp_port"], timeout=60) as client,
            pytest.raises(smtplib.SMTPServerDisconnected),
        ):
            client.sendmail("a@example.com", ["lost-1@example.com"], "Subject: x\r\n\r\nx")


def test_sms_options_reach_the_process_and_its_line_has_the_login(tmp_path: Path) -> None:
    options = ("--sms-fault", "undelivered_30007=1", "--sms-sent-after=0", "--bounce-delay=0")
    with a_process(tmp_path, *options, "--sms-delivered-after=0") as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        login = (addresses["account_sid"], addresses["auth_token"])
        path = f"/2010-04-01/Accounts/{addresses['account_sid']}/Messages.json"
        form = {"To": "+4915112345678", "From": "+15005550006", "Body": "Hello"}
        with httpx.Client(
            base_url=addresses["base_url"], trust_env=False, auth=login, timeout=60
        ) as http:
            assert http.post(path, data=form).status_code == 201
            [message] = http.get(path).json()["messages"]

    assert (message["status"], message["error_code"]) == ("undelivered", 30007)


def test_order_survives_kill_dash_nine(tmp_path: Path) -> None:
    statuses = []
    for _ in range(2):
        with a_process(tmp_path) as process:
            assert process.stdout is not None
            statuses.append(order_once(json.loads(process.stdout.readline())))
            process.kill()

    assert statuses == [201, 409]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "order_429=2"], "order_429: Input should be less than or equal to 1"),
        (["--fault", "nonsense=1"], '"nonsense" is not a fault of the rewards API; --list-faults'),
        (["--fault", "order_42=1"], 'the rewards API (did you mean "order_429"?); --list-faults'),
        (["--sms-fault", "data_451=1"], "the SMS API but of the mail sink (--smtp-fault); "),
        (["--smtp-fault", "data_451"], "NAME=VALUE"),
        (["--sms-fault", "sms_429=2"], "sms_429: Input should be less than or equal to 1"),
        (["--sms-inbound-url", "https://example.com/"], "is not a URL of this machine"),
        (["--bounce-url", "http://example.com/"], "is not a URL of this machine"),
        (["--funds", "much"], "not an amount"),
        (["--smtp-security", "tls"], "--smtp-certificate"),
        (["--smtp-security", "tls", "--smtp-certificate", __file__], "PEM"),
        (["--dir", __file__], "cannot be used"),
    ],
)
def test_mistake_gets_a_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(command, ["--dir", str(tmp_path), *arguments])

    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_list_has_every_fault_with_what_it_does(kind: type[Switches]) -> None:
    result = CliRunner().invoke(command, ["--list-faults"])

    assert result.exit_code == 0
    _, _, section = result.stdout.partition(f"Faults of {kind.part}: {kind.option} ")
    lines = section.partition("\n\n")[0].splitlines()[1:]
    for line, (name, field) in zip(lines, kind.model_fields.items(), strict=True):
        assert line.split()[0] == name
        assert field.description
        assert line.endswith(field.description)


def test_folder_with_something_else_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "account.sqlite3").write_bytes(b"something else " * 100)

    result = CliRunner().invoke(command, ["--dir", str(tmp_path)])

    assert result.exit_code == 2
    assert "choose another folder" in result.stderr


@pytest.mark.parametrize("option", ["--api-port", "--smtp-port"])
def test_taken_port_gets_a_sentence(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(command, ["--dir", str(tmp_path), option, port])

    assert result.exit_code == 2
    assert "taken" in result.stderr
