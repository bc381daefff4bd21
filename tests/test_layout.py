"""The folder names are generic, so make sure that what runs is ours."""

from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.root import ROOT

OURS = ["worker", "pipeline", "channels", "config", "sandbox", "bench", "tests"]


@pytest.mark.parametrize("name", OURS)
def test_top_level_name_is_ours_alone(name: str) -> None:
    assert Path(import_module(name).__path__[0]).is_relative_to(ROOT)
    assert set(packages_distributions().get(name, [])) <= {"claimcast"}
