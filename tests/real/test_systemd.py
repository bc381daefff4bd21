"""The units of docs/operate/install.md are such that systemd takes them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import document
from tests.real.parts import SYSTEMD

pytestmark = SYSTEMD.marks()

_COMMAND = "/opt/claimcast/bin/claimcast"


def units() -> dict[str, str]:
    """Return the two units by name; the second one is the first with another last step."""
    worker, serve = document("docs/operate/install.md").code("ini")
    [line] = [each for each in worker.splitlines() if each.startswith("ExecStart=")]
    return {
        "claimcast-worker@1.service": worker,
        "claimcast-serve.service": worker.replace(line, serve.strip()),
    }


@pytest.mark.parametrize("name", ["claimcast-worker@1.service", "claimcast-serve.service"])
def test_a_unit_is_taken_as_it_is_shown(tmp_path: Path, name: str) -> None:
    text = units()[name]
    assert text.count(_COMMAND) == 1
    unit = tmp_path / name
    # The command has to be there, and is nowhere installed for this.
    unit.write_text(text.replace(_COMMAND, sys.executable), "utf-8")
    found = subprocess.run(
        SYSTEMD.command("verify", str(unit)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
