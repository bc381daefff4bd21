"""`edit` changes messages and limits of a paused campaign, and nothing without saying so."""

from pathlib import Path

import pytest

from pipeline.domain.campaign import Campaign
from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import a_campaign, both_channels
from tests.worker.cli.command_line import CommandLine

ID = "survey-2026-11"
FILE = """\
id = "survey-2026-11"
name = "November survey"
[reward]
product_id = "CVS"
value = "{value}"
[delivery]
channels = {channels}
[email]
subject = "{subject}"
{text}
{more}
"""


def written(
    folder: Path,
    *,
    subject: str = "Your reward",
    text: str = 'text = "{{ link }}"',
    value: str = "10.00",
    channels: str = '["email"]',
    more: str = "",
) -> str:
    """Write a campaign file that is as submitted but for what is given; return its path."""
    path = folder / "campaign.toml"
    found = FILE.format(subject=subject, text=text, value=value, channels=channels, more=more)
    path.write_text(found, "utf-8")
    return str(path)


async def pause(ledger: Installation, campaign: Campaign | None = None) -> str:
    serial = await ledger.submitted(campaign=campaign)
    await ledger.campaigns.steer(serial, "pause")
    return serial


async def snapshot(ledger: Installation) -> CampaignSnapshot:
    return await ledger.snapshot(str(await ledger.campaigns.find(ID)))


async def definition(ledger: Installation) -> Campaign:
    return await ledger.campaigns.definition(str(await ledger.campaigns.find(ID)))


def version(cli: CommandLine) -> int:
    return cli.prepare(snapshot).version


def test_the_new_messages_count_and_it_is_written_down_who_did_it(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.prepare(pause)
    path = written(tmp_path, subject="Really yours", more='[limits]\nemail = "5/s"')

    output = cli.run("edit", ID, path, "--actor", "ann").stderr

    assert "changes  email.subject, limits.email" in output
    assert "concerns 5 people still to be written to" in output
    assert "has version 2 now" in output
    assert f"claimcast resume {ID}" in output
    found = cli.prepare(definition)
    assert found.email is not None
    assert (found.email.subject, str(found.limits.email)) == ("Really yours", "5/s")
    trail = cli.run("audit", ID).stdout
    assert '"edit"' in trail
    assert '"ann"' in trail
    assert '"changed": "email.subject, limits.email"' in trail
    assert "Really" not in trail
    assert "every invariant holds" in cli.run("verify", ID).stdout


def test_the_text_may_come_from_a_file(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(pause)
    (tmp_path / "mail.txt").write_text("Here it is: {{ link }}\n", "utf-8")
    cli.run("edit", ID, written(tmp_path, text='text_file = "mail.txt"'))
    found = cli.prepare(definition)
    assert found.email is not None
    assert found.email.text == "Here it is: {{ link }}\n"


def test_the_same_file_changes_nothing(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(pause)
    assert "like that already" in cli.run("edit", ID, written(tmp_path)).stderr
    assert version(cli) == 1
    assert '"edit"' not in cli.run("audit", ID).stdout


def test_a_campaign_that_runs_is_to_be_paused_first(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(Installation.submitted)
    output = cli.run("edit", ID, written(tmp_path, subject="New"), code=2).stderr
    assert f"`claimcast pause {ID}`" in output
    assert "changes" not in output  # nobody is asked about what cannot be done
    assert version(cli) == 1


def test_what_was_settled_is_refused_by_name(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(pause)
    path = written(tmp_path, subject="New", value="11.00", more='on_uncertain = "hold"')
    output = cli.run("edit", ID, path, code=2).stderr
    assert "reward.value, email.on_uncertain differ" in output
    assert version(cli) == 1


def test_another_campaigns_file_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(pause)
    path = Path(written(tmp_path))
    path.write_text(path.read_text("utf-8").replace(ID, "other"), "utf-8")
    assert "Error: id differs" in cli.run("edit", ID, str(path), code=2).stderr


def test_a_message_that_cannot_be_made_is_reported_by_recipient(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.prepare(pause)
    path = written(tmp_path, subject="Hello from {{ city }}")
    output = cli.run("edit", ID, path, code=2).stderr
    assert "r0: email.subject uses {{ city }}, which is not in the list" in output
    assert "for 5 of 5 people" in output
    assert version(cli) == 1


def test_a_file_that_cannot_be_used_is_reported_by_line(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(pause)
    output = cli.run("edit", ID, written(tmp_path, text='text = "no link"'), code=2).stderr
    assert "campaign.toml, line 10: email.text: does not hold {{ link }}" in output
    assert version(cli) == 1


def test_a_reply_to_that_is_no_address_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(pause)
    output = cli.run("edit", ID, written(tmp_path, more='reply_to = "nobody"'), code=2).stderr
    assert "email.reply_to must be an e-mail address" in output


def test_what_the_texting_comes_to_is_shown(cli: CommandLine, tmp_path: Path) -> None:
    campaign = a_campaign(delivery={"channels": ["sms"]}, sms={"body": "{{ link }}"})
    cli.prepare(lambda ledger: pause(ledger, campaign))
    more = '[sms]\nbody = "' + "x" * 140 + ' {{ link }}"'
    output = cli.run("edit", ID, written(tmp_path, channels='["sms"]', more=more)).stderr
    assert "texting  5 SMS of 10 segments in all" in output


def test_all_channels_are_tried(cli: CommandLine, tmp_path: Path) -> None:
    cli.prepare(lambda ledger: pause(ledger, both_channels()))
    more = '[sms]\nbody = "{{ link }} {{ city }}"'
    path = written(tmp_path, channels='["email", "sms"]', more=more)
    assert "sms.body uses {{ city }}" in cli.run("edit", ID, path, code=2).stderr


@pytest.mark.parametrize(
    ("answer", "code", "expected"), [("y\n", 0, 2), ("n\n", 1, 1), ("", 1, 1)]
)
def test_it_asks_once_on_a_terminal(
    cli: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    expected: int,
) -> None:
    cli.prepare(pause)
    # Click's runner puts its own standard input in place, which is never a terminal.
    monkeypatch.setattr("worker.cli.console.confirm.on_terminal", lambda: True)
    path = written(tmp_path, subject="New")
    output = cli.run("edit", ID, path, code=code, typed=answer).stderr
    assert output.count("Change it?") == 1
    assert version(cli) == expected


def test_yes_does_not_ask(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.prepare(pause)
    monkeypatch.setattr("worker.cli.console.confirm.on_terminal", lambda: True)
    assert "?" not in cli.run("edit", ID, written(tmp_path, subject="New"), "--yes").stderr
    assert version(cli) == 2


def test_a_finished_campaign_is_not_edited(cli: CommandLine, tmp_path: Path) -> None:
    async def finish(ledger: Installation) -> None:
        await ledger.finished(await ledger.submitted())

    cli.prepare(finish)
    assert "has ended" in cli.run("edit", ID, written(tmp_path, subject="New"), code=2).stderr


def test_there_must_be_such_a_campaign(cli: CommandLine, tmp_path: Path) -> None:
    output = cli.run("edit", ID, written(tmp_path), code=2).stderr
    assert "There is no campaign" in output
