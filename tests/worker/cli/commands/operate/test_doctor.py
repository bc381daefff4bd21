"""The doctor says what works, and of what does not, what to do."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook

from sandbox.server import Sandbox
from tests.channels.app import SECRET, body_of, headers_of
from tests.channels.sms.servers import Answer
from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine, app_beside

CAMPAIGN = """
id = "survey"
name = "Survey"
[reward]
product_id = "{product}"
value = "10.00"
[delivery]
channels = ["email"]
[email]
subject = "Reward"
text = "{{{{ link }}}}"
"""


def lines(output: str) -> dict[str, str]:
    """Return verdict and words of the last line about each subject."""
    found = {}
    for line in output.splitlines():
        verdict, subject, words = line[:6].strip(), line[8:21].strip(), line[23:]
        found[subject] = f"{verdict}: {words}"
    return found


@pytest.mark.usefixtures("sandbox")
def test_a_sound_set_up_is_ok_in_every_line(cli: CommandLine) -> None:
    found = lines(cli.run("doctor").stdout)
    assert set(found) == {"configuration", "redis, keys", "rewards API", "email"}
    assert all(words.startswith("ok: ") for words in found.values())
    assert "accepts the credentials" in found["rewards API"]
    assert "takes mail without encryption" in found["email"]


def test_every_variable_that_is_set_is_named_and_no_secret_shown(
    cli: CommandLine, sandbox: Sandbox
) -> None:
    shown = cli.run("doctor").output
    for name in ("REDIS__URL", "SECRET_KEYS", "REWARDS__ACCESS_TOKEN", "REWARDS__EMAIL"):
        assert f"CLAIMCAST_{name}=set" in shown
    assert f"CLAIMCAST_SMTP__PORT={sandbox.smtp_port}" in shown
    assert "CLAIMCAST_SMTP__CONNECTIONS" not in shown
    for secret in (sandbox.access_token, sandbox.email, cli.key):
        assert secret not in shown


@pytest.mark.usefixtures("sandbox")
def test_of_the_apps_address_only_the_place_is_shown(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    place = f"http://127.0.0.1:{unused_tcp_port}"
    monkeypatch.setenv("CLAIMCAST_WEBHOOK__URL", f"{place}/hooks/hunter2")
    monkeypatch.setenv(
        "CLAIMCAST_WEBHOOK__SECRET", "whsec_aHVudGVyMi1vSzktaHVudGVyMi1vSzktaHVudGVy"
    )
    shown = cli.run("doctor", code=3).output
    assert f"CLAIMCAST_WEBHOOK__URL={place}/…" in shown
    assert "hunter2" not in shown


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("product", "code"), [("CVS", 0), ("CSV", 2)])
def test_the_product_of_a_campaign_is_looked_up(
    cli: CommandLine, tmp_path: Path, product: str, code: int
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CAMPAIGN.format(product=product))
    found = lines(cli.run("doctor", str(path), code=code).stdout)
    assert found["campaign"].startswith('ok: c.toml is campaign "survey"')
    assert ("can be ordered for 10.00" in found["rewards API"]) == (code == 0)
    assert ("the nearest are" in found["rewards API"]) == (code == 2)


@pytest.mark.usefixtures("sandbox")
def test_a_broken_campaign_file_is_a_wrong_configuration(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("id = ")
    assert lines(cli.run("doctor", str(path), code=2).stdout)["campaign"].startswith("not ok: ")


@pytest.mark.usefixtures("sandbox")
def test_wrong_credentials_are_a_wrong_configuration(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_REWARDS__ACCESS_TOKEN", "wrong")
    found = lines(cli.run("doctor", code=2).stdout)
    assert "check CLAIMCAST_REWARDS__EMAIL and" in found["rewards API"]
    assert found["email"].startswith("ok: ")


@pytest.mark.usefixtures("sandbox")
def test_what_cannot_be_reached_is_reported_with_what_to_do(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("CLAIMCAST_SMTP__PORT", str(unused_tcp_port))
    monkeypatch.setenv("CLAIMCAST_REWARDS__BASE_URL", f"http://127.0.0.1:{unused_tcp_port}")
    found = lines(cli.run("doctor", code=3).stdout)
    assert "Check CLAIMCAST_SMTP__HOST, CLAIMCAST_SMTP__PORT" in found["email"]
    assert "check CLAIMCAST_REWARDS__BASE_URL" in found["rewards API"]


def test_nothing_configured_says_what_to_set(cli: CommandLine) -> None:
    found = lines(cli.run("doctor", code=2).stdout)
    assert "CLAIMCAST_REWARDS__BASE_URL" in found["rewards API"]
    assert found["email"] == (
        "not ok: not configured: set CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER"
    )
    assert "sms" not in found


def test_a_misspelt_setting_is_reported_and_nothing_else_tried(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_SMPT__HOST", "x")
    found = lines(cli.run("doctor", code=2).stdout)
    assert set(found) == {"configuration"}
    assert "CLAIMCAST_SMPT__HOST is not a setting" in found["configuration"]


@pytest.mark.usefixtures("sandbox")
def test_other_keys_than_the_data_was_sealed_with_are_reported(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def seal(ledger: Installation) -> None:
        await ledger.submitted()

    cli.prepare(seal)
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", Fernet.generate_key().decode())
    found = lines(cli.run("doctor", code=2).stdout)
    assert "encrypted with other keys" in found["redis, keys"]
    assert found["email"].startswith("ok: ")


@pytest.mark.usefixtures("sandbox")
def test_a_redis_that_is_away_is_unreachable(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", f"unix://{tmp_path}/nobody.sock")
    found = lines(cli.run("doctor", code=3).stdout)
    assert "cannot be reached" in found["redis, keys"]
    assert found["rewards API"].startswith("not ok: not tried")
    assert found["email"].startswith("ok: ")


def mails(sandbox: Sandbox) -> list[Path]:
    return [file for file in Path(str(sandbox.maildir)).glob("*/*") if file.is_file()]


def told_where(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("CLAIMCAST_ALERT__URL", f"http://localhost:{port}/secret-path")
    monkeypatch.setenv("CLAIMCAST_ALERT__SECRET", SECRET)
    monkeypatch.setenv("CLAIMCAST_ALERT__EMAIL", "ops@example.com")


def test_where_alerts_go_is_tried_and_a_test_alert_sent_only_if_asked(
    cli: CommandLine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app_beside() as receiver:
        told_where(monkeypatch, receiver.port)
        found = lines(cli.run("doctor").stdout)
        assert found["alerts, url"].startswith("ok: http://localhost")
        assert found["alerts, email"].startswith("ok: ")
        assert (receiver.raw, mails(sandbox)) == ([], [])

        result = cli.run("doctor", "--alert")
        assert lines(result.stdout)["alerts, url"] == "ok: a test alert was taken"
        assert lines(result.stdout)["alerts, email"] == "ok: a test alert was taken"
        assert "secret-path" not in result.output
        [mail] = mails(sandbox)
        assert b"\nTo: ops@example.com\n" in mail.read_bytes()
        [raw] = receiver.raw
        document = Webhook(SECRET).verify(body_of(raw), dict(headers_of(raw)))
        assert document["type"] == "claimcast.alert.test"


@pytest.mark.usefixtures("sandbox")
def test_alerts_that_cannot_be_delivered_are_reported(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_where(monkeypatch, 1)
    found = lines(cli.run("doctor", code=3).stdout)
    assert found["alerts, url"].startswith("not ok: webhook_unreachable")
    assert "check CLAIMCAST_ALERT__URL and __SECRET" in found["alerts, url"]
    with app_beside(Answer(401)) as receiver:
        told_where(monkeypatch, receiver.port)
        found = lines(cli.run("doctor", "--alert", code=3).stdout)
        assert found["alerts, url"].startswith("not ok: webhook_401")


@pytest.mark.usefixtures("sandbox")
def test_a_test_alert_to_nobody_is_a_wrong_configuration(cli: CommandLine) -> None:
    found = lines(cli.run("doctor", "--alert", code=2).stdout)
    assert found["alerts"].startswith("not ok: nobody is told")
