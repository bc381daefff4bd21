"""The doctor says what works, and of what does not, what to do."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from sandbox.server import Sandbox
from tests.pipeline.installation import Installation
from tests.worker.cli.desk import Desk

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
def test_a_sound_set_up_is_ok_in_every_line(desk: Desk) -> None:
    found = lines(desk.run("doctor").stdout)
    assert set(found) == {"configuration", "redis, keys", "rewards API", "email"}
    assert all(words.startswith("ok: ") for words in found.values())
    assert "accepts the credentials" in found["rewards API"]
    assert "takes mail without encryption" in found["email"]


def test_every_variable_that_is_set_is_named_and_no_secret_shown(
    desk: Desk, sandbox: Sandbox
) -> None:
    shown = desk.run("doctor").output
    for name in ("REDIS__URL", "SECRET_KEYS", "REWARDS__ACCESS_TOKEN", "REWARDS__EMAIL"):
        assert f"CLAIMCAST_{name}=set" in shown
    assert f"CLAIMCAST_SMTP__PORT={sandbox.smtp_port}" in shown
    assert "CLAIMCAST_SMTP__CONNECTIONS" not in shown
    for secret in (sandbox.access_token, sandbox.email, desk.key):
        assert secret not in shown


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("product", "code"), [("CVS", 0), ("CSV", 2)])
def test_the_product_of_a_campaign_is_looked_up(
    desk: Desk, tmp_path: Path, product: str, code: int
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CAMPAIGN.format(product=product))
    found = lines(desk.run("doctor", str(path), code=code).stdout)
    assert found["campaign"].startswith('ok: c.toml is campaign "survey"')
    assert ("can be ordered for 10.00" in found["rewards API"]) == (code == 0)
    assert ("the nearest are" in found["rewards API"]) == (code == 2)


@pytest.mark.usefixtures("sandbox")
def test_a_broken_campaign_file_is_a_wrong_configuration(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("id = ")
    assert lines(desk.run("doctor", str(path), code=2).stdout)["campaign"].startswith("not ok: ")


@pytest.mark.usefixtures("sandbox")
def test_wrong_credentials_are_a_wrong_configuration(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_REWARDS__ACCESS_TOKEN", "wrong")
    found = lines(desk.run("doctor", code=2).stdout)
    assert "check CLAIMCAST_REWARDS__EMAIL and" in found["rewards API"]
    assert found["email"].startswith("ok: ")


@pytest.mark.usefixtures("sandbox")
def test_what_cannot_be_reached_is_told_with_what_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("CLAIMCAST_SMTP__PORT", str(unused_tcp_port))
    monkeypatch.setenv("CLAIMCAST_REWARDS__BASE_URL", f"http://127.0.0.1:{unused_tcp_port}")
    found = lines(desk.run("doctor", code=3).stdout)
    assert "Check CLAIMCAST_SMTP__HOST, CLAIMCAST_SMTP__PORT" in found["email"]
    assert "check CLAIMCAST_REWARDS__BASE_URL" in found["rewards API"]


def test_nothing_configured_says_what_to_set(desk: Desk) -> None:
    found = lines(desk.run("doctor", code=2).stdout)
    assert "CLAIMCAST_REWARDS__BASE_URL" in found["rewards API"]
    assert found["email"] == (
        "not ok: not configured: set CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER"
    )
    assert "sms" not in found


def test_a_misspelt_setting_is_told_and_nothing_else_tried(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_SMPT__HOST", "x")
    found = lines(desk.run("doctor", code=2).stdout)
    assert set(found) == {"configuration"}
    assert "CLAIMCAST_SMPT__HOST is not a setting" in found["configuration"]


@pytest.mark.usefixtures("sandbox")
def test_other_keys_than_the_data_was_sealed_with_are_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def seal(ledger: Installation) -> None:
        await ledger.submitted()

    desk.prepare(seal)
    monkeypatch.setenv("CLAIMCAST_SECRET_KEYS", Fernet.generate_key().decode())
    found = lines(desk.run("doctor", code=2).stdout)
    assert "encrypted with other keys" in found["redis, keys"]
    assert found["email"].startswith("ok: ")


@pytest.mark.usefixtures("sandbox")
def test_a_redis_that_is_away_is_unreachable(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAIMCAST_REDIS__URL", f"unix://{tmp_path}/nobody.sock")
    found = lines(desk.run("doctor", code=3).stdout)
    assert "cannot be reached" in found["redis, keys"]
    assert found["rewards API"].startswith("not ok: not tried")
    assert found["email"].startswith("ok: ")
