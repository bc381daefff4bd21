"""A world with `serve` and a worker, which the outside reaches directly or through a proxy."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from email.parser import BytesHeaderParser
from pathlib import Path

from tests.end_to_end.support.served import Served, reachable, reports
from tests.end_to_end.support.world import World, open_world
from tests.real.parts import PATIENCE
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync


@contextlib.contextmanager
def site(directory: Path, public: str, port: int) -> Iterator[Served]:
    """
    Run a sandbox, a worker, and `serve` on *port*, which the outside knows as *public*.

    With http the sandbox reports to *public*, and orders complete later; https it does not speak.
    """
    before = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "CLAIMCAST_STATE_DIR": str(directory / "state"),
        "CLAIMCAST_PUBLIC_URL": public,
    }
    options = [*reports(before, directory), "--async-above", "0"] if public[:5] == "http:" else []
    with open_world(directory, "--keep", "maildir", *options) as world:
        world.env |= before | {
            "CLAIMCAST_SMTP__BOUNCES": "bounces@example.com",
            "CLAIMCAST_TWILIO__ACCOUNT_SID": world.addresses["account_sid"],
            "CLAIMCAST_TWILIO__AUTH_TOKEN": world.addresses["auth_token"],
            "CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006",
            "CLAIMCAST_TWILIO__BASE_URL": world.addresses["base_url"],
            "CLAIMCAST_LIMITS__SMS": "unlimited",
        }
        world.start("serve", "--port", str(port), log="serve.log")
        world.start("worker", log="worker.log")
        wait_until_sync(lambda: reachable(f"http://127.0.0.1:{port}/readyz"), PATIENCE)
        yield Served(world, public)


def unsubscribe_links(world: World) -> dict[str, str]:
    """Return by address what the mails that arrived name for unsubscribing (RFC 8058)."""
    parser = BytesHeaderParser()
    mails = [
        parser.parsebytes(path.read_bytes())
        for path in Path(world.addresses["maildir"], "new").iterdir()
    ]
    assert {mail["List-Unsubscribe-Post"] for mail in mails} == {"List-Unsubscribe=One-Click"}
    return {
        str(mail["Delivered-To"]): str(mail["List-Unsubscribe"]).strip("\r\n <>") for mail in mails
    }


def suppressed(world: World, addresses: Sequence[str]) -> list[str]:
    """Return those of *addresses* that nobody may write to because they unsubscribed."""
    return [
        address
        for address in addresses
        if world.run("suppress", "list", "--check", address) == "suppressed: unsubscribed\n"
    ]
