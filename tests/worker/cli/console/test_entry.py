"""Whatever goes wrong, people get a sentence and scripts an exit code."""

import errno
import os
import subprocess
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from config.errors import ConfigError
from pipeline.domain.errors import (
    BlockedError,
    CredentialsError,
    InputError,
    RefusedError,
    RewardsUnavailableError,
    UnavailableError,
)
from tests.end_to_end.support.world import COMMAND
from tests.support.root import ROOT
from tests.worker.cli.files import Files
from worker.cli.console.entry import explain_error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("Give it a name."), 2, "Give it a name."),
        (ConfigError("CLAIMCAST_X is not known"), 2, "CLAIMCAST_X is not known"),
        (UnavailableError("Redis cannot be reached."), 3, "Redis cannot be reached."),
        (CredentialsError("http_401"), 2, "CLAIMCAST_REWARDS__ACCESS_TOKEN"),
        (RewardsUnavailableError("http_503"), 3, "http_503"),
        (RefusedError("http_400", "No."), 3, "http_400: No."),
        (BlockedError("smtp_connect"), 3, "smtp_connect"),
        (RedisConnectionError("secret"), 3, "The connection to Redis was lost"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 3, "/x: No space left on device"),
        (ExceptionGroup("two", [InputError("Inside."), ValueError()]), 2, "Inside."),
        (ValueError("secret"), 1, "This should not have happened (ValueError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_error_becomes_a_sentence_and_a_code(error: Exception, code: int, words: str) -> None:
    sentence, found = explain_error(error)

    assert found == code
    assert words in sentence
    assert "secret" not in sentence
    assert "\n" not in sentence


def test_unexpected_error_is_placed_in_our_code() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")

    assert (
        "(ValueError at tests/worker/cli/console/test_entry.py:" in explain_error(caught.value)[0]
    )


def test_reader_that_goes_away_ends_the_command_without_a_word(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    found = subprocess.run(
        [*COMMAND, "validate", *Files.written(tmp_path).words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert found.returncode == 1
    assert found.stderr == ""
