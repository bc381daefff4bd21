"""The suppression list from the command line: what is added is not written to, by any name."""

import io
from pathlib import Path

import pytest

from pipeline.domain.models import ChannelName
from tests.pipeline.installation import Installation
from tests.worker.cli.command_line import CommandLine
from worker.cli.intake.address_file import AddressFile


def counts(cli: CommandLine) -> dict[str, int]:
    rows = [line.split() for line in cli.run("suppress", "list").stdout.splitlines()[1:]]
    return {" ".join(row[:-1]): int(row[-1].replace(",", "")) for row in rows}


def checked(cli: CommandLine, address: str) -> str:
    return cli.run("suppress", "list", "--check", address).stdout.strip()


def test_an_address_is_added_found_and_removed(cli: CommandLine) -> None:
    result = cli.run(
        "suppress", "add", "--email", "Ada@EXAMPLE.com", "--reason", "asked by letter"
    )
    assert result.stderr == "The address is on the list from now on.\n"
    assert result.stdout == ""
    assert checked(cli, "ada@example.com") == "suppressed: asked by letter"
    again = cli.run("suppress", "add", "--email", "ada@example.com").stderr
    assert again == "The address was on the list already (asked by letter).\n"
    assert cli.run("suppress", "remove", "--email", "ada@example.com").stderr == (
        "The address is off the list.\n"
    )
    assert "was not on" in cli.run("suppress", "remove", "--email", "ada@example.com").stderr
    assert checked(cli, "ada@example.com") == "not suppressed"


def test_a_number_is_the_same_however_it_is_written(cli: CommandLine) -> None:
    cli.run("suppress", "add", "--phone", " +1 (415) 555-2671")
    assert checked(cli, "+14155552671") == "suppressed: operator"
    removed = cli.run("suppress", "remove", "--phone", "+1 415 555 2671").stderr
    assert "goes on refusing until they send START" in removed


def test_it_is_counted_by_reason(cli: CommandLine) -> None:
    assert counts(cli) == {"all": 0}
    for number in range(3):
        cli.run("suppress", "add", "--email", f"p{number}@example.com")
    cli.run("suppress", "add", "--phone", "+14155552671", "--reason", "by letter")
    assert counts(cli) == {"by letter": 1, "operator": 3, "all": 4}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["add"], "Give either --email ADDRESS or --phone NUMBER."),
        (["add", "--email", "a@example.com", "--phone", "+14155552671"], "Give either --email"),
        (["remove"], "Give either --email"),
        (["add", "--email", "nobody"], "--email is not an e-mail address"),
        (["add", "--phone", "555"], "--phone must be an international number"),
        (["list", "--check", "555"], "--check must be an international number"),
        (["add", "--email", "a@example.com", "--reason", " "], "--reason must be one line"),
        (["add", "--email", "a@example.com", "--reason", "b@example.com"], "--reason must not"),
        (["add", "--email", "a@example.com", "--reason", "x" * 101], "--reason must be one line"),
        (["import", "missing.txt", "--channel", "email"], "does not exist"),
        (["import", ".", "--channel", "email"], "is a directory"),
    ],
)
def test_what_cannot_be_done_is_reported_in_a_sentence(
    cli: CommandLine, words: list[str], problem: str
) -> None:
    assert problem in cli.run("suppress", *words, code=2).stderr
    assert counts(cli) == {"all": 0}


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com\nB@Example.com\n",
        "\ufeffa@example.com\r\n\r\n  b@example.com  ",
        "email\na@example.com\nb@example.com\n",
        'id;E-mail;email\n1;x;a@example.com\n\n2;"x;\ny";b@example.com\n',
        "Name\tEMAIL\nAda\ta@example.com\nBob\tb@example.com\n",
    ],
)
def test_a_file_is_imported_whatever_its_form(cli: CommandLine, tmp_path: Path, text: str) -> None:
    file = tmp_path / "list.txt"
    file.write_text(text, "utf-8", newline="")
    words = ["suppress", "import", str(file), "--channel", "email", "--reason", "old list"]
    assert cli.run(*words).stderr == "2 addresses added; 0 on the list before.\n"
    assert cli.run(*words).stderr == "0 addresses added; 2 on the list before.\n"
    assert checked(cli, "a@example.com") == "suppressed: old list"
    assert counts(cli) == {"old list": 2, "all": 2}


def test_numbers_are_imported_for_their_channel(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "stop.csv"
    file.write_text("name,phone\nAda,+1 415 555 2671\n")
    cli.run("suppress", "import", str(file), "--channel", "sms")
    assert checked(cli, "+14155552671") == "suppressed: operator"


def test_what_cannot_be_used_is_reported_by_line_and_the_rest_imported(
    cli: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("id,email\n1,a@example.com\n2,secret-nobody\n3\n4,b@example.com\n")
    result = cli.run("suppress", "import", str(file), "--channel", "email", code=1).stderr
    assert "2 addresses added" in result
    assert "  line 3 is not an e-mail address" in result
    assert "  line 4 is not an e-mail address" in result
    assert "2 lines could not be used; all others are on the list." in result
    assert "nobody" not in result


def test_many_faults_are_counted_and_the_first_shown(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("nobody\n" * 1000 + "a@example.com\n")
    result = cli.run("suppress", "import", str(file), "--channel", "email", code=1).stderr
    assert "1 address added" in result
    assert "1,000 lines could not be used" in result
    assert len(result.splitlines()) == 22


def test_a_long_list_is_imported_in_chunks(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("".join(f"p{number}@example.com\n" for number in range(2500)))
    result = cli.run("suppress", "import", str(file), "--channel", "email").stderr
    assert result == "2,500 addresses added; 0 on the list before.\n"
    assert counts(cli) == {"operator": 2500, "all": 2500}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\x03\x04....", "list.txt: looks like an Excel or zip file"),
        (b"a@example.com\nb\0c\n", "list.txt: looks like a binary file"),
        (b"id,address\n1,a@example.com\n", "must name the columns, email among them"),
    ],
)
def test_what_is_no_list_is_reported(
    cli: CommandLine, tmp_path: Path, content: bytes, problem: str
) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    assert problem in cli.run("suppress", "import", str(file), "--channel", "email", code=2).stderr
    assert counts(cli) == {"all": 0}


@pytest.mark.parametrize("header", ["", "email\n"])
def test_a_file_may_be_of_any_length(header: str) -> None:
    lines = b"".join(b"p%d@example.com\n" % number for number in range(60_000))
    file = AddressFile(io.BytesIO(header.encode() + lines), ChannelName.EMAIL)
    sizes = [len(chunk) for chunk in file.chunks(1000)]
    assert (sizes, file.fault_count) == ([1000] * 60, 0)


def test_no_address_rests_in_redis(cli: CommandLine) -> None:
    cli.run("suppress", "add", "--email", "ada@example.com")

    async def found(installation: Installation) -> str:
        redis, everything = installation.redis, []
        async for key in redis.scan_iter(match="cc:suppressed:*"):
            everything += [key, await redis.hgetall(key)]
        return repr(everything)

    assert "operator" in cli.prepare(found)
    assert "ada" not in cli.prepare(found)
