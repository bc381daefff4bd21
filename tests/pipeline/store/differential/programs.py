"""The scripts of a commit or of a directory, whichever way that program puts them together."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.store.lua.sources import assembled, read_scripts
from tests.support.root import ROOT

Scripts = Mapping[str, str]
_LUA = "pipeline/store/lua"


def scripts_of(where: str) -> Scripts:
    """Return the complete text of every verb of a program: *where* is its folder or a commit."""
    if Path(where).is_dir():
        return _read(Path(where) / _LUA)
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "archive", where, _LUA]
        archive = subprocess.run(git, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        return _read(Path(folder) / _LUA)


def _read(lua: Path) -> Scripts:
    common = lua / "common.lua"
    if common.exists():  # before there were includes, every verb was given all of it
        shared = common.read_text("utf-8")
        return {
            verb: shared + text for verb, text in read_scripts(lua).items() if verb != "common"
        }
    library = read_scripts(lua / "lib")
    return {
        verb: assembled(verb, text, library) for verb, text in read_scripts(lua / "verbs").items()
    }
