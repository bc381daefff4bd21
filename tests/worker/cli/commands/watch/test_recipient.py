"""What `recipient` says of one person."""

import json

from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, finish, submit


def test_a_timeline_is_shown_to_people_and_programs(cli: CommandLine) -> None:
    cli.prepare(finish)
    shown = cli.run("recipient", ID, "r1").stdout
    for part in ("r1", "p…@example.com", "batch 1, position 2", "email: sent", "1 attempt"):
        assert part in shown
    assert "p1@example.com" not in shown
    assert "links.example" not in shown
    document = json.loads(cli.run("recipient", ID, "r1", "--json").stdout)
    assert document["deliveries"][0]["status"] == "sent"


def test_an_unknown_recipient_is_reported_in_one_sentence(cli: CommandLine) -> None:
    cli.prepare(submit)
    output = cli.run("recipient", ID, "nobody", code=2).stderr
    assert output.count("\n") == 1
    assert 'no recipient "nobody"' in output
