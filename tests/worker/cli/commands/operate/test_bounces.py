"""`claimcast bounces` takes what a mail server pipes into it, and bears with all the rest."""

import pytest

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from pipeline.domain.models import DeliveryStatus
from tests.pipeline.callbacks.notifications import block, notification
from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from worker.web.bounces import POSTED_BOUNCE


def sent(cli: CommandLine) -> tuple[str, str]:
    """Return the serial of a campaign that was sent, and the token of its first mail."""

    async def work(installation: Installation) -> tuple[str, str]:
        serial = await installation.submitted()
        await installation.finished(serial)
        target = Target(serial=serial, batch=1, attempt=1)
        return serial, SignedTokens(installation.vault).make(Purpose.BOUNCE, target)

    return cli.prepare(work)


def status(cli: CommandLine, serial: str) -> tuple[DeliveryStatus, str]:
    async def work(installation: Installation) -> tuple[DeliveryStatus, str]:
        [record] = (await installation.deliveries.read(serial, 1))[0]
        return record.status, record.code

    return cli.prepare(work)


def test_a_bounce_is_recorded_and_the_address_suppressed(cli: CommandLine) -> None:
    serial, token = sent(cli)
    message = notification(f"<bounces+{token}@example.org>").decode()
    for _ in range(2):
        assert "The notification was recorded." in cli.run("bounces", typed=message).stderr
    assert status(cli, serial) == (DeliveryStatus.BOUNCED, "bounce_5.1.1")
    checked = cli.run("suppress", "list", "--check", "p0@example.com").stdout
    assert checked == "suppressed: bounce_5.1.1\n"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("Subject: Out of office\n\nBack on Monday.", "This is no delivery status notification"),
        (notification("<bounces+aaaa@x.org>").decode(), "not about a message of ours"),
        ("\ufffd\0", "This is no delivery status notification"),
    ],
)
def test_what_is_something_else_is_ignored_with_a_sentence(
    cli: CommandLine, message: str, sentence: str
) -> None:
    serial, _ = sent(cli)
    assert sentence in cli.run("bounces", typed=message).stderr
    assert status(cli, serial) == (DeliveryStatus.SENT, "")


def test_a_delay_changes_nothing(cli: CommandLine) -> None:
    serial, token = sent(cli)
    message = notification(f"<bounces+{token}@example.org>", [block("delayed", "4.4.1")])
    assert "is not final" in cli.run("bounces", typed=message.decode()).stderr
    assert status(cli, serial) == (DeliveryStatus.SENT, "")


def test_nothing_on_standard_input_is_reported(cli: CommandLine) -> None:
    output = cli.run("bounces", typed="", code=2).stderr
    assert output == "Error: Give the message on standard input: claimcast bounces < MESSAGE\n"


def test_the_address_of_the_webhook_is_printed_when_there_is_one(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Set CLAIMCAST_PUBLIC_URL" in cli.run("bounces", "--url", code=2).stderr
    monkeypatch.setenv("CLAIMCAST_PUBLIC_URL", "https://claims.example.org/hooks")

    url = cli.run("bounces", "--url").stdout.strip()

    head, _, token = url.rpartition("/")
    assert head == "https://claims.example.org/hooks/webhooks/bounces"

    async def read(installation: Installation) -> Target | None:
        return SignedTokens(installation.vault).read(Purpose.BOUNCE, token)

    assert cli.prepare(read) == POSTED_BOUNCE
