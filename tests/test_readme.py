"""What the README says is so: its settings, commands, tests, log events and examples."""

import ast
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from config.settings import Settings
from config.variables import Variable, variables
from pipeline.alerting.messages import of_campaign
from pipeline.domain.codes.table import markdown
from pipeline.store.formats.alert_records import AlertCause, AlertKind
from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.end_to_end.support.world import judge, world
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync
from worker.cli import main
from worker.valkey.embedded import EmbeddedValkey

README = (ROOT / "README.md").read_text("utf-8")
OURS = ["worker", "pipeline", "channels", "config", "sandbox"]
LEVELS = {"info", "warning", "error", "exception"}
PEOPLE = 30


def section(title: str) -> str:
    """Return the text below the heading *title*, up to the next heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def code_blocks(language: str) -> list[str]:
    """Return the README's blocks of code in *language*."""
    fenced = README.split("\n```")[1::2]
    return [
        text for name, _, text in (block.partition("\n") for block in fenced) if name == language
    ]


def code_block(language: str) -> str:
    """Return the README's only block of code in *language*."""
    (block,) = code_blocks(language)
    return block


def settings_table() -> str:
    """Return every setting as the table that the README must show."""
    rows = ["| variable | meaning | default |", "|---|---|---|"]
    rows += [f"| `{v.name}` | {v.description} | {shown(v)} |" for v in variables(Settings)]
    return "\n".join(rows)


def shown(variable: Variable) -> str:
    """Return the default of a setting as one would write it."""
    match variable.default:
        case None:
            return "required" if variable.required else ""
        case timedelta() as length:
            units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
            seconds = length.total_seconds()
            unit = next(unit for unit, size in units.items() if seconds % size == 0)
            return f"`{seconds / units[unit]:.0f} {unit}`"
        case tuple() as words:
            return f"`{','.join(words)}`"
        case bool() as flag:
            return f"`{flag:d}`"
        case value:
            return f"`{value}`"


def command_lines() -> list[list[str]]:
    """Return the words that follow `claimcast`, in prose and in shell code."""
    prose = "\n".join(README.split("\n```")[::2])
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", prose)]
    spans += [
        line.partition(" #")[0] for block in code_blocks("sh") for line in block.splitlines()
    ]
    found = [re.split(r"(?:^|[ /])claimcast ", span, maxsplit=1) for span in spans]
    return [parts[1].split() for parts in found if len(parts) == 2]


def options(command: click.Command) -> set[str]:
    own = {option for parameter in command.params for option in parameter.opts}
    return own | {"--help"}


def log_events() -> Iterator[str]:
    """Yield every event that the code logs: the first argument of `log.…` and of `_line`."""
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(call, ast.Call) and call.args and _logs(call.func):
                    first = call.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield first.value


def _logs(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    is_log = isinstance(owner, ast.Name) and owner.id == "log" and function.attr in LEVELS
    return is_log or function.attr == "_line"


def test_every_setting_is_in_the_table_as_the_code_has_it() -> None:
    assert settings_table() in section("Settings"), f"it should be:\n{settings_table()}"


def test_every_code_is_in_the_table_as_the_code_base_has_it() -> None:
    there = section("What the codes mean")
    assert markdown() in there, "take the output of `python -m pipeline.domain.codes`"


def test_the_alert_that_is_shown_is_what_is_posted() -> None:
    people = {"p:reached": "400", "p:open": "600"}
    fields = {"id": "survey-2026-11", "n": "1000", "blk:o": "insufficient_funds", **people}
    notice = of_campaign(
        AlertCause("1", AlertKind.ORDERING, "insufficient_funds"),
        CampaignSnapshot("1", fields, 0),
        since_ms=1795366801000,
        now_ms=1795366821000,
        over=False,
    )
    shown_there = json.loads(code_block("json"))
    assert shown_there == notice.document
    named = set(re.findall(r"`([a-z_]+)`", section("A real campaign").split("| member |")[1]))
    assert set(shown_there["data"]) <= named


def test_every_variable_that_is_named_is_a_setting() -> None:
    known = {variable.name for variable in variables(Settings)}
    named = set(re.findall(r"CLAIMCAST_[A-Z_]*[A-Z](?![A-Z_*])", README))
    assert named
    assert named <= known


def test_every_command_and_option_that_is_named_exists() -> None:
    lines = command_lines()
    assert len(lines) > 20
    for first, *words in lines:
        command = main.get_command(click.Context(main), first)
        assert command is not None, f"claimcast {first}"
        if isinstance(command, click.Group) and words:
            command = command.commands[words[0]]
        named = {word for word in words if word.startswith("--")}
        assert named <= options(command), f"claimcast {first} {' '.join(words)}"


def test_every_command_is_named() -> None:
    named = {first for first, *_ in command_lines()}
    assert set(main.lazy_subcommands) <= named


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert named
    assert named <= there


def test_every_invariant_names_a_test() -> None:
    numbered = re.split(
        r"^\d\. ",
        section("What always holds, and the tests that try to break it"),
        flags=re.MULTILINE,
    )
    assert len(numbered) == 10
    assert all("`test_" in invariant for invariant in numbered[1:])


def test_the_log_events_are_those_of_the_code() -> None:
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", section("Logs")))
    assert named == set(log_events())


def test_every_folder_of_the_layout_exists() -> None:
    folders = re.findall(r"^\s*([a-z_/]+)/(?= )", section("Layout"), re.MULTILINE)
    assert set(OURS) <= set(folders)
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_the_example_campaign_is_valid(tmp_path: Path) -> None:
    (tmp_path / "campaign.toml").write_text(code_block("toml"), "utf-8")
    (tmp_path / "people.csv").write_text(code_block("csv"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "validate", "campaign.toml", "people.csv"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_program_for_other_systems_imports_nothing_but_arq() -> None:
    names = set()
    for node in ast.walk(ast.parse(code_block("python"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    assert names - sys.stdlib_module_names == {"arq"}


def test_the_program_for_other_systems_reaches_everybody(tmp_path: Path) -> None:
    campaign = {
        "id": "upstream",
        "name": "From upstream",
        "reward": {"product_id": "CVS", "value": "10.00"},
        "delivery": {"channels": ["email"]},
        "email": {"subject": "Reward", "text": "Hello {{ name }}: {{ link }}"},
        "recipients": [
            {"id": f"r{n}", "email": f"person-{n}@example.com", "name": f"Zoë {n}"}
            for n in range(PEOPLE)
        ],
    }
    with world(tmp_path) as here, EmbeddedValkey(tmp_path / "state") as server:
        url = server.start_or_join()
        worker = here.start("worker", log="worker.log")
        try:
            done = subprocess.run(
                [sys.executable, "-c", code_block("python"), url],
                input=json.dumps(campaign),
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
            )
            assert ast.literal_eval(done.stdout)["campaign"] == "upstream"
            wait_until_sync(lambda: len(here.mails()) >= PEOPLE)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=120)
        judge(here, PEOPLE)
