"""What is built holds all that runs, and tells type checkers that it is typed."""

import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.root import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = _PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that is built here and now."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
    )
    [wheel] = folder.glob("claimcast-*.whl")
    with ZipFile(wheel) as built:
        return set(built.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(files: set[str], package: str) -> None:
    assert f"{package}/py.typed" in files


def test_everything_that_runs_is_in_it(files: set[str]) -> None:
    needed = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".lua"}
    }
    assert needed <= files


def test_nothing_else_is_in_it(files: set[str]) -> None:
    assert {Path(name).parts[0] for name in files if ".dist-info/" not in name} == set(PACKAGES)
