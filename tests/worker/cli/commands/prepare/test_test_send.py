"""`test-send` sends one real message, its link worth nothing, and leaves everything alone."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from pipeline.domain.models import ChannelName
from pipeline.intake.preflight.previews import EXAMPLE_LINK
from pipeline.store.suppressions import Suppressions
from sandbox.server import Sandbox
from tests.channels.app import SECRET, App, app, body_of
from tests.channels.sms.servers import Answer
from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.files import campaign_text
from worker.cli import main

ANN = "ann@example.com"
NUMBER = "+15550100200"


@pytest.fixture
def campaign(tmp_path: Path) -> str:
    path = tmp_path / "campaign.toml"
    path.write_text(campaign_text(channels='["email", "sms"]'), "utf-8")
    return str(path)


@pytest.fixture
def texting(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox that is Twilio as well."""
    settings = {
        "ACCOUNT_SID": sandbox.account_sid,
        "AUTH_TOKEN": sandbox.auth_token,
        "FROM_NUMBER": "+15005550006",
        "BASE_URL": sandbox.base_url,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"CLAIMCAST_TWILIO__{name}", value)
    return sandbox


@pytest.fixture
def alone(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere a Redis."""
    monkeypatch.delenv("CLAIMCAST_REDIS__URL")


def send(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["test-send", *words])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def mails(sandbox: Sandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{sandbox.control_url}/mails", timeout=120).json()
    return found


def content(sandbox: Sandbox) -> EmailMessage:
    """Return the only mail as it arrived."""
    assert sandbox.maildir is not None
    (path,) = (Path(sandbox.maildir) / "new").iterdir()
    return message_from_bytes(path.read_bytes(), policy=policy.default)


@pytest.mark.usefixtures("alone")
def test_a_mail_arrives_with_a_link_that_is_worth_nothing(
    sandbox: Sandbox, campaign: str, tmp_path: Path
) -> None:
    result = send(campaign, "--email", ANN, "--set", "name=Ann")

    (mail,) = mails(sandbox)
    assert mail["to"] == ANN
    assert set(mail["links"]) == {EXAMPLE_LINK}
    message = content(sandbox)
    assert message["Subject"] == "Your reward, Ann"
    assert message["List-Unsubscribe"] is None
    assert f"email: accepted by {sandbox.smtp_host}:{sandbox.smtp_port}" in result.stdout
    assert result.stderr == ""
    assert not (tmp_path / "state").exists()
    assert httpx.get(f"{sandbox.control_url}/account", timeout=120).json()["orders"] == []


@pytest.mark.usefixtures("alone")
def test_each_has_a_message_id_of_its_own(sandbox: Sandbox, campaign: str) -> None:
    send(campaign, "--email", ANN)
    send(campaign, "--email", ANN)
    assert len({mail["message_id"] for mail in mails(sandbox)}) == 2


@pytest.mark.usefixtures("alone")
def test_variables_that_are_not_given_show_their_names(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    text = campaign_text().replace("{{ name }}:", "{{ name }} from {{ city }} in {{ land }}:")
    path.write_text(text, "utf-8")
    send(str(path), "--email", ANN, "--set", "land=Perú")
    plain = content(sandbox).get_body(("plain",))
    assert plain is not None
    assert "Test Person from city in Perú:" in plain.get_content()


@pytest.mark.usefixtures("alone")
def test_an_sms_is_taken_by_twilio(texting: Sandbox, campaign: str) -> None:
    result = send(campaign, "--phone", "+1 555 010 0200")
    (sms,) = httpx.get(f"{texting.control_url}/sms", timeout=120).json()
    assert sms["to"] == NUMBER
    assert EXAMPLE_LINK in sms["body"]
    assert sms["sid"] in result.stdout


@contextmanager
def served(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """Run an app in a thread, so that commands may have the main thread's loop."""
    ready, stop, found = threading.Event(), threading.Event(), list[App]()

    async def serve() -> None:
        async with app(answer) as double:
            found.append(double)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(120)
    monkeypatch.setenv("CLAIMCAST_WEBHOOK__URL", f"http://localhost:{found[0].port}/secret/path")
    monkeypatch.setenv("CLAIMCAST_WEBHOOK__SECRET", SECRET)
    try:
        yield found[0]
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def app_campaign(tmp_path: Path) -> str:
    path = tmp_path / "app.toml"
    text = campaign_text(channels='["webhook"]') + '[webhook]\nbody = "Hello {{ name }}"\n'
    path.write_text(text, "utf-8")
    return str(path)


def test_the_app_is_posted_to(
    app_campaign: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with served(Answer(200, {}), monkeypatch) as double:
        result = send(app_campaign, "--webhook", "user-7")
        (posted,) = double.raw
    document = json.loads(body_of(posted))
    assert (document["recipient"], document["link"]) == ("user-7", EXAMPLE_LINK)
    assert "webhook: accepted by localhost" in result.stdout
    assert "secret" not in result.output


def test_what_the_app_refuses_is_reported_without_its_path(
    app_campaign: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with served(Answer(422, {}), monkeypatch):
        output = send(app_campaign, "--webhook", "user-7", code=2).stderr
    assert "localhost refuses the message (webhook_422): it was not sent." in output


def suppress(cli: CommandLine) -> None:
    async def add(ledger: Installation) -> None:
        list_ = Suppressions(ledger.redis, ledger.vault)
        await list_.add(ChannelName.EMAIL, ANN, "unsubscribed")

    cli.prepare(add)


def test_a_suppressed_address_is_not_written_to(
    cli: CommandLine, sandbox: Sandbox, campaign: str
) -> None:
    suppress(cli)
    output = send(campaign, "--email", "Ann@Example.com", code=2).stderr
    assert "on the suppression list (unsubscribed): nothing was sent" in output
    assert mails(sandbox) == []
    send(campaign, "--email", "other@example.com")
    assert len(mails(sandbox)) == 1


def test_without_the_list_it_warns_and_sends(
    sandbox: Sandbox, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", "redis://127.0.0.1:1/0")
    output = send(campaign, "--email", ANN).stderr
    assert "Warning: the suppression list was not looked at" in output
    assert len(mails(sandbox)) == 1


def test_nothing_in_redis_changes(cli: CommandLine, sandbox: Sandbox, campaign: str) -> None:
    async def everything(ledger: Installation) -> dict[bytes, bytes | None]:
        return {key: await ledger.redis.dump(key) async for key in ledger.redis.scan_iter()}

    before = cli.prepare(everything)
    send(campaign, "--email", ANN)
    assert cli.prepare(everything) == before
    assert len(mails(sandbox)) == 1


@pytest.mark.usefixtures("alone")
def test_what_the_server_refuses_is_reported_without_the_address(
    sandbox: Sandbox, campaign: str
) -> None:
    httpx.put(
        f"{sandbox.control_url}/smtp-faults", json={"rcpt_550": 1.0}, timeout=120
    ).raise_for_status()
    output = send(campaign, "--email", ANN, code=2).output
    assert "refuses the message (smtp_550" in output
    assert "it was not sent" in output
    assert ANN not in output


@pytest.mark.usefixtures("alone", "sandbox")
def test_a_server_that_cannot_be_reached_ends_with_3(
    campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_SMTP__PORT", "1")
    assert "does not take it now (smtp_" in send(campaign, "--email", ANN, code=3).stderr


@pytest.mark.usefixtures("alone", "sandbox")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--email ADDRESS, --phone NUMBER or --webhook ID, one of them"),
        (["--email", ANN, "--phone", NUMBER], "one of them"),
        (["--email", "ann.example.com"], "email: is not an e-mail address"),
        (["--email", ""], "email: is empty"),
        (["--phone", "0171 123"], "phone: must be an international number"),
        (["--email", ANN, "--set", "name"], "must be NAME=VALUE"),
        (["--email", ANN, "--set", "timezone=Mars"], "timezone: is not an IANA time zone"),
        (["--webhook", "x"], "does not use webhook: delivery.channels names email, sms"),
        (["--phone", NUMBER], "uses sms, which is not set up here"),
    ],
)
def test_what_is_wrong_is_a_sentence(campaign: str, words: list[str], sentence: str) -> None:
    assert sentence in send(campaign, *words, code=2).stderr


@pytest.mark.usefixtures("alone", "sandbox")
def test_a_message_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(campaign_text().replace("{{ name }}:", "{{ name[99] }}:"), "utf-8")
    output = send(str(path), "--email", ANN, code=2).stderr
    assert "The message cannot be made: email.text cannot be filled" in output


def test_a_broken_file_is_reported_by_line(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text('id = "survey"\nname = \n', "utf-8")
    output = send(str(path), "--email", ANN, code=2).stderr
    assert "campaign.toml, line 2" in output
    assert "nothing was sent" in output
