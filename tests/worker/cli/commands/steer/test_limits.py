"""Rates are shown with their origin and changed at run time."""

import pytest

from tests.worker.cli.command_line import CommandLine


def shown(cli: CommandLine) -> dict[str, list[str]]:
    lines = cli.run("limits").stdout.splitlines()[1:]
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_what_was_set_wins_until_it_is_unset(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCAST_LIMITS__EMAIL", "7/m")
    assert shown(cli)["email"][0] == "7/m"
    assert "limited to 50/s" in cli.run("limits", "set", "email", "50/s").stderr
    assert shown(cli)["email"] == ["50/s", "limits", "set"]
    assert "again limited to 7/m" in cli.run("limits", "unset", "email").stderr
    assert shown(cli)["email"][:2] == ["7/m", "CLAIMCAST_LIMITS__EMAIL"]
    assert set(shown(cli)) == {"orders", "reads", "email", "sms", "webhook"}


def test_an_unknown_limit_is_reported_with_the_nearest(cli: CommandLine) -> None:
    output = cli.run("limits", "set", "emial", "5/s", code=2).stderr
    assert output == 'Error: There is no limit "emial"; did you mean "email"?\n'
    assert "there are orders, reads" in cli.run("limits", "unset", "zzz", code=2).stderr


@pytest.mark.parametrize("rate", ["fast", "0/s", "5"])
def test_what_is_no_rate_is_reported_with_examples(cli: CommandLine, rate: str) -> None:
    output = cli.run("limits", "set", "email", rate, code=2).stderr
    assert f'"{rate}" is not a rate such as 5/s, 300/m, 1000/h or unlimited.' in output
    assert shown(cli)["email"][0] == "50/s"
