"""Running a campaign: refused whole, worked to its end, repeated without effect."""

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.domain.batch import Lane
from sandbox.server import Sandbox
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.files import (
    DEFECTS,
    OUTSIDE,
    Defect,
    Files,
    campaign_text,
    people,
    people_text,
)

PEOPLE = 120
# Where sms is not set up, `run` says that first.
BY_EMAIL = [each for each in (*DEFECTS, *OUTSIDE) if '"sms"' not in str(each.campaign)]

# As errors they would keep connections open that arq closes, and uvloop would wait for them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed Connection:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORDERS", "READS", "EMAIL"):
        monkeypatch.setenv(f"CLAIMCAST_LIMITS__{name}", "unlimited")


def asked(sandbox: Sandbox, what: str) -> Any:  # noqa: ANN401 - JSON
    return httpx.get(f"{sandbox.control_url}/{what}", timeout=120).raise_for_status().json()


def left_behind(cli: CommandLine) -> set[str]:
    """Return the keys that any campaign has, or its staging area."""

    async def keys(_: Installation) -> set[str]:
        async with Redis.from_url(cli.url) as redis:
            found = {key.decode() for key in await redis.keys("cc:*")}
        # Counters and what serves every campaign are no remains of one.
        kept = re.compile(r"cc:(serial|keyring|run-id|workers|gcra:.*|rewards:.*|digest.*|key.*)")
        return {key for key in found if not kept.fullmatch(key)}

    return cli.prepare(keys)


async def steer_block(installation: Installation) -> None:
    serial = await installation.campaigns.find("survey")
    assert serial is not None
    await installation.campaigns.block(serial, Lane.ORDER, "order_refused", "No.", probe_after=0)


@pytest.mark.parametrize("defect", BY_EMAIL, ids=lambda defect: defect.name)
def test_every_defect_is_reported_and_leaves_nothing_behind(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path, defect: Defect
) -> None:
    files = Files.written(tmp_path, defect.campaign, defect.people, defect.file)

    assert defect.message in cli.run("run", *files.words, code=2).stderr
    assert left_behind(cli) == set()
    assert asked(sandbox, "account")["orders"] == []


def test_everybody_is_reached_and_a_second_run_says_the_same(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path, people=people_text(PEOPLE)).words

    first = cli.run("run", *words).stdout
    account, mails = asked(sandbox, "account"), asked(sandbox, "mails")
    second = cli.run("run", *words).stdout

    assert f"reached      {PEOPLE} of {PEOPLE}" in first
    assert second == first
    assert asked(sandbox, "account")["posts"] == account["posts"]
    assert asked(sandbox, "mails") == mails
    assert len({mail["to"] for mail in mails}) == PEOPLE


def test_the_people_not_reached_are_reported_with_the_reason(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = people("a,one@example.com,A", "b,bounce-1@example.com,B", "c,bounce-2@example.com,C")
    words = Files.written(tmp_path, people=rows).words

    report = cli.run("run", *words, code=1).stdout

    assert "reached      1 of 3" in report
    assert "2 x there is no such mailbox (smtp_550_5.1.1)" in report
    assert "to try them again:" not in report, "their addresses are on the suppression list"
    assert "2 no retry reaches" in report
    assert "claimcast resend survey RECIPIENT --email ADDRESS" in report
    assert "claimcast suppress remove --email ADDRESS, then claimcast retry survey" in report
    assert "claimcast recipient survey b" in report
    assert "claimcast report survey --format csv" in report
    assert cli.run("run", *words, code=1).stdout == report


def test_json_is_one_document_and_the_report_goes_to_people(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path).words

    result = cli.run("run", *words, "--json")
    found = cli.run("status", "survey", "--json").stdout

    assert json.loads(result.stdout) == json.loads(found)
    assert "reached      2 of 2" in result.stderr
    refused = Files.written(tmp_path, people=people("1,nobody,A")).words
    document = json.loads(cli.run("run", *refused, "--json", code=2).stdout)
    assert [problem["line"] for problem in document["problems"]] == [2]


def test_other_content_under_the_same_id_is_refused(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    cli.run("run", *Files.written(tmp_path).words)

    changed = Files.written(tmp_path, people=people("1,one@example.com,Zoë", "2,x@example.com,B"))
    assert "first on line 3" in cli.run("run", *changed.words, code=2).stderr
    dearer = Files.written(tmp_path, campaign_text(value="25.00"))
    assert "(10.00 then, 25.00 now) differs." in cli.run("run", *dearer.words, code=2).stderr


def test_held_batch_is_shown_with_the_command_that_moves_it(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    httpx.put(
        f"{sandbox.control_url}/faults", json={"order_fails": 1.0}, timeout=120
    ).raise_for_status()
    words = Files.written(tmp_path).words

    report = cli.run("run", *words, code=1).stdout

    assert "November survey (survey): blocked" in report
    assert "the order failed or was cancelled (order_failed) [1 batch]" in report
    assert "`claimcast retry survey --held`" in report


def test_running_again_says_that_what_blocked_it_is_mended(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path).words
    cli.run("submit", *words)
    cli.prepare(steer_block)

    assert "reached      2 of 2" in cli.run("run", *words).stdout


def test_running_again_does_not_end_a_pause(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path).words
    cli.run("submit", *words)
    cli.run("pause", "survey")

    report = cli.run("run", *words, code=1).stdout

    assert "November survey (survey): paused" in report
    assert "to go on: claimcast resume survey" in report
    assert asked(sandbox, "account")["orders"] == []


@pytest.mark.parametrize(
    ("setting", "value", "code", "sentence"),
    [
        ("REWARDS__BASE_URL", "http://127.0.0.1:1", 3, "The rewards API cannot be reached"),
        ("REWARDS__ACCESS_TOKEN", "wrong", 2, "The rewards API refuses the credentials"),
        ("SMTP__PORT", "1", 3, "The provider of email cannot be used now (smtp_connect"),
        ("SMTP__SECURITY", "starttls", 2, "The provider of email refuses us (smtp_no_starttls"),
        ("REDIS__URL", "redis://127.0.0.1:1/0", 3, "Redis cannot be reached"),
    ],
)
def test_what_cannot_be_used_is_reported_before_anything_is_submitted(
    cli: CommandLine,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
    code: int,
    sentence: str,
) -> None:
    monkeypatch.setenv(f"CLAIMCAST_{setting}", value)

    result = cli.run("run", *Files.written(tmp_path).words, code=code)

    assert sentence in result.stderr
    assert left_behind(cli) == set()


class _HangsUp(socketserver.BaseRequestHandler):
    """Takes every call and says nothing."""

    calls = 0

    def handle(self) -> None:
        type(self).calls += 1


@pytest.fixture
def hangs_up() -> Iterator[int]:
    """The port of a server that only hangs up."""
    _HangsUp.calls = 0
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _HangsUp) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("REWARDS__BASE_URL", "http://127.0.0.1:{}", "The rewards API cannot be reached"),
        ("SMTP__PORT", "{}", "The provider of email cannot be used now"),
    ],
)
def test_a_server_that_only_hangs_up_is_given_up_after_a_few_tries(
    cli: CommandLine,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hangs_up: int,
    setting: str,
    value: str,
    sentence: str,
) -> None:
    monkeypatch.setenv(f"CLAIMCAST_{setting}", value.format(hangs_up))

    assert sentence in cli.run("run", *Files.written(tmp_path).words, code=3).stderr
    assert 1 <= _HangsUp.calls <= 5


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("REWARDS__BASE_URL", "REWARDS__EMAIL", "REWARDS__ACCESS_TOKEN"), "REWARDS__BASE_URL"),
        (("SMTP__HOST", "SMTP__PORT", "SMTP__SECURITY", "SMTP__SENDER"), "SMTP__HOST"),
    ],
)
def test_missing_configuration_is_named(
    cli: CommandLine,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: tuple[str, ...],
    named: str,
) -> None:
    for name in missing:
        monkeypatch.delenv(f"CLAIMCAST_{name}")

    result = cli.run("run", *Files.written(tmp_path).words, code=2)

    assert f"set CLAIMCAST_{named}" in result.stderr


def test_channel_that_cannot_be_used_is_refused(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = people("1,one@example.com,A,+14155552671", columns="id,email,name,phone")
    files = Files.written(tmp_path, campaign_text(channels='["email", "sms"]'), rows)

    assert "uses sms, which is not set up here" in cli.run("run", *files.words, code=2).stderr
    assert left_behind(cli) == set()


def test_everything_that_is_not_set_up_is_named_at_once(cli: CommandLine, tmp_path: Path) -> None:
    rows = people("1,one@example.com,A,+14155552671", columns="id,email,name,phone")
    files = Files.written(tmp_path, campaign_text(channels='["email", "sms"]'), rows)

    output = cli.run("run", *files.words, code=2).stderr

    for named in ("REWARDS__BASE_URL", "SMTP__HOST", "TWILIO__ACCOUNT_SID"):
        assert f"set CLAIMCAST_{named}" in output
    assert left_behind(cli) == set()


def test_rows_with_problems_go_to_a_private_file(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = people("1,one@example.com,A", "2,nobody,B", "3,three@example.com,C")
    words = Files.written(tmp_path, people=rows).words

    result = cli.run("run", *words, "--skip-invalid")

    rejected = tmp_path / "people.rejected.csv"
    assert "reached      2 of 2" in result.stdout
    assert str(rejected) in result.stderr
    assert rejected.read_text("utf-8").splitlines()[1].startswith("3,email: is not an e-mail")
    assert rejected.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "elsewhere.csv"
    cli.run("run", *words, "--skip-invalid", "--rejected", str(elsewhere))
    assert elsewhere.read_bytes() == rejected.read_bytes()


def test_place_for_rejected_rows_is_looked_at_first(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = Files.written(tmp_path, people=people("1,one@example.com,A", "2,nobody,B")).words
    nowhere = str(tmp_path / "missing" / "rejected.csv")

    result = cli.run("run", *words, "--skip-invalid", "--rejected", nowhere, code=2)

    assert "cannot be written" in result.stderr
    assert left_behind(cli) == set()


def test_people_may_come_from_standard_input(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    campaign, _ = Files.written(tmp_path, people=None).words

    result = cli.run("run", campaign, "-", typed=people_text(3))

    assert "reached      3 of 3" in result.stdout


def test_ids_that_are_addresses_are_not_shown(
    cli: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    rows = people("one@example.com,one@example.com,A")

    result = cli.run("run", *Files.written(tmp_path, people=rows).words)

    assert "claimcast recipient survey RECIPIENT" in result.stdout
    assert "one@example.com" not in result.output
