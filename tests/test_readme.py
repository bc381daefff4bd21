"""What the README says is so: its layout."""

import re

from tests.support.root import ROOT

README = (ROOT / "README.md").read_text("utf-8")
OURS = ["worker", "pipeline", "channels", "config", "sandbox"]


def section(title: str) -> str:
    """Return the text below the heading *title*, up to the next heading."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_folder_of_the_layout_exists() -> None:
    folders = re.findall(r"^\s*([a-z_/]+)/(?= )", section("Layout"), re.MULTILINE)
    assert set(OURS) <= set(folders)
    assert all((ROOT / folder).is_dir() for folder in folders)
