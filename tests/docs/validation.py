"""What `claimcast validate` says of a campaign and a list of people that a page shows."""

import subprocess
import sys
from pathlib import Path

from tests.support.root import ROOT


def validate(folder: Path, campaign: str, people: str) -> subprocess.CompletedProcess[str]:
    """Write both files into *folder* and validate them there, with no setting at all."""
    (folder / "campaign.toml").write_text(campaign, "utf-8")
    (folder / "people.csv").write_text(people, "utf-8")
    return subprocess.run(
        [sys.executable, "-m", "worker.cli", "validate", "campaign.toml", "people.csv"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
