"""What is read out of a document: its sentences, its code, the commands in both."""

from pathlib import Path

import pytest

from tests.docs.documents import Document, documents
from tests.support.root import ROOT

PAGE = Document(
    Path("page.md"),
    """# Page

Run `claimcast pause
CAMPAIGN`, see `x`.

```sh
claimcast run a.toml \\
    people.csv --yes   # comment: claimcast nonsense
FOO=1 /opt/bin/claimcast submit a.toml b.csv && claimcast status
sudo -u claimcast ls /srv
cat mail | docker compose run --rm claimcast bounces > log
```

- an item

  ```toml
  id = "x"
  ```

```
claimcast no language
```
""",
)


def test_sentences_and_code_are_told_apart() -> None:
    assert "an item" in PAGE.prose
    assert "people.csv" not in PAGE.prose
    assert PAGE.code("toml") == ['  id = "x"\n']
    assert PAGE.code("") == ["claimcast no language\n"]
    assert PAGE.spans == ["claimcast pause CAMPAIGN", "x"]


def test_every_command_is_found() -> None:
    assert PAGE.command_lines == [
        ["pause", "CAMPAIGN"],
        ["run", "a.toml", "people.csv", "--yes"],
        ["submit", "a.toml", "b.csv"],
        ["status"],
        ["bounces"],
    ]


@pytest.mark.parametrize("each", documents(), ids=lambda each: str(each.path))
def test_every_fence_is_closed(each: Document) -> None:
    assert each.text.count("\n```") % 2 == 0, "a block of code is not closed"


def test_all_pages_are_read() -> None:
    paths = {str(each.path) for each in documents()}
    assert {"README.md", "docs/internals/architecture.md", "docs/reference/codes.md"} <= paths
    assert all((ROOT / path).is_file() for path in paths)
