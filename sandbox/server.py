"""The whole sandbox: in a test's own event loop, or as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from sandbox.control.api import Control
from sandbox.control.sms import SmsControl
from sandbox.faults import Chaos, Faults, MailFaults, SmsFaults
from sandbox.mail.bounces import Bounces
from sandbox.mail.sink import MailSink
from sandbox.mail.smtp import receiving
from sandbox.mail.store import MailStore
from sandbox.options import SandboxOptions
from sandbox.outgoing import PostQueue
from sandbox.rewards.account import SandboxAccount
from sandbox.rewards.api import RewardsApi
from sandbox.rewards.refusals import as_json
from sandbox.rewards.signaller import Signaller
from sandbox.sms.api import SmsApi
from sandbox.sms.callbacks import Callbacks
from sandbox.sms.refusals import Refusal, as_twilio_json
from sandbox.sms.store import SmsStore
from sandbox.web import serving

try:
    from uvloop import new_event_loop
except ImportError:  # not made for Windows
    from asyncio import new_event_loop  # type: ignore[assignment] # uvloop's makes its own

_HOST = "127.0.0.1"  # never anything else: the control endpoint asks for no login


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """
    Where a running sandbox is found, and the logins.

    `base_url` is what `/v1/Orders` is appended to, and the SMS API's `/2010-04-01`.
    """

    base_url: str
    control_url: str
    smtp_host: str
    smtp_port: int
    email: str
    access_token: str = field(repr=False)
    maildir: str | None
    account_sid: str
    auth_token: str = field(repr=False)

    def to_json(self) -> str:
        """Return one line of JSON, with the tokens."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(Addresses)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox(Addresses):
    """A running sandbox, and its parts for tests in the same process."""

    account: SandboxAccount
    mails: MailStore
    messages: SmsStore
    chaos: Chaos[Faults]
    mail_chaos: Chaos[MailFaults]
    sms_chaos: Chaos[SmsFaults]


@asynccontextmanager
async def running(options: SandboxOptions) -> AsyncIterator[Sandbox]:
    """
    Run a sandbox in this event loop until the context ends; installs no signal handlers.

    Raises OSError if a port is taken or a file cannot be used.
    """
    options.directory.mkdir(parents=True, exist_ok=True)
    maildir = options.directory / "Maildir" if options.mail.keep == "maildir" else None
    with _parts(options, maildir) as parts:
        signaller = Signaller(parts.account)
        api = RewardsApi(parts.account, parts.chaos, options, on_signal=signaller.wake)
        sink = MailSink(parts.mails, parts.bounces, parts.mail_chaos, options.mail)
        app = _application(parts, api, signaller, options)
        async with (
            _background(signaller.run()),
            _background(parts.outgoing.run()),
            serving(app, _HOST, options.api_port) as api_port,
            receiving(sink, parts.mail_chaos, options.mail, _HOST) as smtp_port,
        ):
            try:
                yield Sandbox(
                    **_addresses(options, api_port, smtp_port, maildir),
                    account=parts.account,
                    mails=parts.mails,
                    messages=parts.messages,
                    chaos=parts.chaos,
                    mail_chaos=parts.mail_chaos,
                    sms_chaos=parts.sms_chaos,
                )
            finally:
                api.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    account: SandboxAccount
    mails: MailStore
    messages: SmsStore
    outgoing: PostQueue
    bounces: Bounces
    chaos: Chaos[Faults]
    mail_chaos: Chaos[MailFaults]
    sms_chaos: Chaos[SmsFaults]


@contextmanager
def _parts(options: SandboxOptions, maildir: Path | None) -> Iterator[_Parts]:
    """Open what is on disk, and throw the dice."""
    where, mail = options.directory, options.mail
    with (
        SandboxAccount(where / "account.sqlite3", funds=options.funds) as account,
        MailStore(where / "mails.sqlite3", maildir) as mails,
        SmsStore(where / "sms.sqlite3") as messages,
        PostQueue(where / "outgoing.sqlite3") as outgoing,
        Bounces(
            where / "bounces.sqlite3", outgoing, url=mail.bounce_url, delay=mail.bounce_delay
        ) as bounces,
    ):
        yield _Parts(
            account=account,
            mails=mails,
            messages=messages,
            outgoing=outgoing,
            bounces=bounces,
            chaos=Chaos(options.faults, options.seed),
            mail_chaos=Chaos(mail.faults, options.seed),
            sms_chaos=Chaos(options.sms.faults, options.seed),
        )


def _application(
    parts: _Parts, api: RewardsApi, signaller: Signaller, options: SandboxOptions
) -> Starlette:
    callbacks = Callbacks(parts.outgoing, parts.sms_chaos, options.sms)
    sms = SmsApi(parts.messages, callbacks, parts.sms_chaos, options.sms)
    control = Control(
        parts.account,
        parts.mails,
        parts.bounces,
        chaos=parts.chaos,
        mail_chaos=parts.mail_chaos,
        sms_chaos=parts.sms_chaos,
        on_signal=signaller.wake,
        more=SmsControl(parts.messages, callbacks).routes(),
    )
    return Starlette(
        routes=[*api.routes(), *sms.routes(), control.routes()],
        exception_handlers={HTTPException: as_json, Refusal: as_twilio_json},
    )


def serve(options: SandboxOptions, *, ready_file: Path | None = None) -> None:
    """
    Run a sandbox until SIGTERM or SIGINT; prints its addresses as one line of JSON when ready.

    The same line is written to *ready_file*, complete from the moment it exists. Raises OSError
    like `running`.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(options, ready_file))


async def _serve(options: SandboxOptions, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(options) as sandbox:
        line = sandbox.to_json()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if ready_file is not None:
            _write_whole(ready_file, line)
        await stop.wait()


def _write_whole(path: Path, line: str) -> None:
    staged = path.with_name(path.name + ".part")
    staged.write_text(line + "\n", "utf-8")
    staged.replace(path)


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _addresses(
    options: SandboxOptions, api_port: int, smtp_port: int, maildir: Path | None
) -> dict[str, Any]:
    base_url = f"http://{_HOST}:{api_port}"
    return {
        "base_url": base_url,
        "control_url": f"{base_url}/_sandbox",
        "smtp_host": _HOST,
        "smtp_port": smtp_port,
        "email": options.email,
        "access_token": options.access_token,
        "maildir": None if maildir is None else str(maildir.resolve()),
        "account_sid": options.sms.account_sid,
        "auth_token": options.sms.auth_token,
    }
