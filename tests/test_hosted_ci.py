"""The hosted workflow and the hooks of pre-commit run what there is here, and no more."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.root import ROOT

WORKFLOW, HOOKS, MAKEFILE, DOCKERFILE = (
    (ROOT / name).read_text("utf-8")
    for name in (".github/workflows/ci.yml", ".pre-commit-config.yaml", "Makefile", "Dockerfile")
)


def versions() -> list[str]:
    [listed] = re.findall(r"^        python: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    return re.findall(r'"(3\.\d+)"', str(listed))


def test_it_runs_what_ci_runs_here() -> None:
    assert re.findall(r"^      - run: (.*)$", WORKFLOW, re.MULTILINE) == [".ci/run"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111, "it can be run"
    wanted = re.findall(r"^make (\S+)$", (ROOT / ".ci/run").read_text("utf-8"), re.MULTILINE)
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    assert len(wanted) > 2
    assert targets.issuperset(wanted)


def test_the_oldest_python_that_is_supported_comes_first_and_the_image_has_one_of_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == f">={versions()[0]}"
    assert set(re.findall(r"^FROM python:(3\.\d+)", DOCKERFILE, re.MULTILINE)) < set(versions())


def test_every_action_is_pinned_by_its_commit() -> None:
    used = re.findall(r"uses: (.*)$", WORKFLOW, re.MULTILINE)
    assert len(used) > 1
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action) for action in used)


def test_it_may_only_read_keeps_no_credentials_and_ends() -> None:
    assert re.findall(r"^ *permissions:\n((?: +.*\n)+)", WORKFLOW, re.MULTILINE) == [
        "  contents: read\n"
    ]
    assert "persist-credentials: false" in WORKFLOW
    assert re.search(r"^    timeout-minutes: \d+$", WORKFLOW, re.MULTILINE)
    assert "pull_request_target" not in WORKFLOW
    assert "secrets." not in WORKFLOW


def test_hooks_are_the_tools_that_are_locked_here() -> None:
    assert re.findall(r"repo: (.*)$", HOOKS, re.MULTILINE) == ["local"]
    tools = set(re.findall(r"entry: \.venv/bin/([\w-]+)", HOOKS))
    assert tools == {"ruff", "lint-imports", "mypy", "python"}
    assert all((Path(sys.executable).parent / tool).exists() for tool in tools)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN EC PRIVATE KEY-----",
        "SK" + "0a" * 16,
        "CLAIMCAST_SECRET_KEYS=" + "x" * 43 + "=",
    ],
)
def test_a_secret_is_seen_before_it_is_committed(secret: str) -> None:
    [expression] = re.findall(r"entry: '(.*)'\n +language: pygrep", HOOKS)
    assert re.search(expression, f"there is {secret} here")
    assert not re.search(expression, "CLAIMCAST_SECRET_KEYS=")
