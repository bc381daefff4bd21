"""The command `doctor`: what of the set-up works, and what to do about what does not."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import click
from pydantic import BaseModel, SecretStr

from config.errors import ConfigError
from config.settings import Settings
from config.variables import DELIMITER, PREFIX
from pipeline.alerting import messages
from pipeline.domain.campaign import Campaign
from pipeline.domain.codes import find_reason
from pipeline.domain.errors import (
    BlockedError,
    ClaimcastError,
    CredentialsError,
    DeliveryError,
    RefusedError,
    RewardsError,
    UnavailableError,
)
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Channel
from pipeline.intake.campaign_file import load_campaign
from pipeline.rewards.products import check_product
from worker.alerting.notifiers import URL, Notifier, open_notifiers
from worker.cli.console.campaigns import times
from worker.cli.console.configured import settings
from worker.cli.console.entry import BAD_INPUT, OK, UNREACHABLE, command
from worker.cli.progress.campaign_view import read_fleet_state
from worker.wiring.engine import Rewards, open_app, open_channels, open_rewards
from worker.wiring.ledger import App

_PRIVATE = frozenset({"email", "username", "account_sid"})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was tried; `code` is the exit status that it alone would give."""

    subject: str
    words: str
    code: int = OK

    def __str__(self) -> str:
        return f"{'ok' if self.code == OK else 'not ok':6}  {self.subject:13}  {self.words}"


@click.command()
@click.argument(
    "campaign_file",
    metavar="[CAMPAIGN.toml]",
    required=False,
    type=click.Path(path_type=Path),
)
@click.option("--alert", is_flag=True, help="Send a test alert to where alerts go.")
@command
async def doctor(campaign_file: Path | None, *, alert: bool) -> int:
    """
    Test settings, Redis, keys, rewards API, channels and where alerts go.

    Nothing is ordered, and nothing is sent but, with --alert, a test alert.
    """
    codes = set()
    async for line in _lines(campaign_file, alert=alert):
        click.echo(str(line))
        codes.add(line.code)
    # What is configured wrongly has to be mended before anything can be reached.
    return BAD_INPUT if BAD_INPUT in codes else max(codes)


async def _lines(campaign_file: Path | None, *, alert: bool) -> AsyncIterator[CheckResult]:
    try:
        found = settings()
    except ConfigError as error:
        for sentence in str(error).splitlines():
            yield CheckResult("configuration", sentence, BAD_INPUT)
        return
    for line in _variables(found):
        yield line
    campaign = None
    if campaign_file is not None:
        campaign, problems = load_campaign(campaign_file)
        for problem in problems:
            yield CheckResult("campaign", str(problem), BAD_INPUT)
        if campaign is not None:
            yield CheckResult("campaign", f'{campaign_file.name} is campaign "{campaign.id}"')
    async for line in _connections(found, campaign):
        yield line
    async for line in _alerts(found, is_test=alert):
        yield line


async def _connections(found: Settings, campaign: Campaign | None) -> AsyncIterator[CheckResult]:
    async with AsyncExitStack() as stack:
        try:
            app = await stack.enter_async_context(open_app(found, keys="look"))
        except (ClaimcastError, ConfigError) as error:
            yield CheckResult("redis, keys", str(error), _code(error))
            yield CheckResult(
                "rewards API", "not tried, as its token is kept in Redis", _code(error)
            )
        else:
            yield await _redis(app)
            yield await _rewards(app, campaign)
        async for line in _channels(found, campaign):
            yield line


def _variables(found: Settings) -> Iterator[CheckResult]:
    shown = [f"{name}={value}" for name, value in _set(found, PREFIX)]
    if not shown:
        yield CheckResult("configuration", "nothing is set: every setting has its default")
    for words in shown:
        yield CheckResult("configuration", words)


def _set(group: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the name and what may be shown of every variable that is set."""
    for field in type(group).model_fields:
        if field not in group.model_fields_set:
            continue
        value, name = getattr(group, field), prefix + field.upper()
        if isinstance(value, BaseModel):
            yield from _set(value, name + DELIMITER)
        elif isinstance(value, SecretStr) or field in _PRIVATE:
            yield name, "set"
        elif field == "url" and value is not None:
            parts = urlsplit(value)  # only where it is: some keep a token in the path
            yield name, f"{parts.scheme}://{parts.netloc}/…"
        elif value is not None:
            yield name, ",".join(value) if isinstance(value, tuple) else str(value)


async def _redis(app: App) -> CheckResult:
    version = await app.server.version()
    around = await read_fleet_state(app)
    kind = "embedded" if app.settings.redis.url is None else "outside"
    unsafe = ", accepted although unsafe" if app.settings.unsafe_redis else ""
    rotating = await app.keyring.sealed_with() - set(app.vault.fingerprints[:1])
    open_still = "; run `claimcast rekey` before a key is dropped" if rotating else ""
    return CheckResult(
        "redis, keys",
        f"the {kind} server ({version}) keeps what it acknowledges{unsafe}, the keys open its"
        f" data{open_still}, {times(around.workers, 'worker')} alive",
    )


async def _rewards(app: App, campaign: Campaign | None) -> CheckResult:
    try:
        async with open_rewards(app) as rewards:
            return await _account(rewards, campaign)
    except ClaimcastError as error:
        return CheckResult("rewards API", _sentence(error), _code(error))


async def _account(rewards: Rewards, campaign: Campaign | None) -> CheckResult:
    token = await rewards.client.create_token()
    words = f"it accepts the credentials; a token lives {token.expires_in:.0f} s"
    products = await rewards.client.products()
    if campaign is None:
        return CheckResult("rewards API", f"{words}; {times(len(products), 'product')} offered")
    problem = check_product(products, campaign.reward)
    if problem is not None:
        return CheckResult("rewards API", f"{words}, but {problem}", BAD_INPUT)
    product = f'"{campaign.reward.product_id}" can be ordered for {campaign.reward.value}'
    return CheckResult("rewards API", f"{words}; product {product}")


async def _channels(found: Settings, campaign: Campaign | None) -> AsyncIterator[CheckResult]:
    wanted = set(campaign.delivery.channels) if campaign is not None else set()
    try:
        async with open_channels(found) as channels:
            for name in ChannelName:
                if name in channels:
                    yield await _channel(channels[name])
                elif name in wanted or (name is ChannelName.EMAIL and not channels):
                    yield CheckResult(name, _unconfigured(name), BAD_INPUT)
    except ClaimcastError as error:
        yield CheckResult("channels", str(error), _code(error))


async def _channel(channel: Channel) -> CheckResult:
    try:
        return CheckResult(channel.name, await channel.check())
    except BlockedError as error:
        reason = find_reason(error.code)
        action = f" {reason.remedy('CAMPAIGN')}" if reason is not None else ""
        code = BAD_INPUT if error.fatal else UNREACHABLE
        return CheckResult(channel.name, f"{error}.{action}", code)


async def _alerts(found: Settings, *, is_test: bool) -> AsyncIterator[CheckResult]:
    try:
        async with open_notifiers(found) as notifiers:
            for notifier in notifiers:
                yield await _alert(notifier, is_test=is_test)
            if is_test and not notifiers:
                names = "CLAIMCAST_ALERT__URL and __SECRET, or CLAIMCAST_ALERT__EMAIL"
                yield CheckResult("alerts", f"nobody is told of anything: set {names}", BAD_INPUT)
    except ClaimcastError as error:
        yield CheckResult("alerts", str(error), _code(error))


async def _alert(notifier: Notifier, *, is_test: bool) -> CheckResult:
    subject = f"alerts, {notifier.name}"
    try:
        if not is_test:
            return CheckResult(subject, await notifier.channel.check())
        await notifier.notify(messages.test_notice(str(uuid4()), round(time.time() * 1000)))
        return CheckResult(subject, "a test alert was taken")
    except DeliveryError as error:
        names = " and __SECRET" if notifier.name == URL else " and the mail server"
        words = f"{error}: check CLAIMCAST_ALERT__{notifier.name.upper()}{names}"
        return CheckResult(subject, words, UNREACHABLE)


def _unconfigured(name: ChannelName) -> str:
    match name:
        case ChannelName.EMAIL:
            return "not configured: set CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER"
        case ChannelName.SMS:
            return "not configured: set CLAIMCAST_TWILIO__ACCOUNT_SID and the others of its group"
        case ChannelName.WEBHOOK:
            return "not configured: set CLAIMCAST_WEBHOOK__URL and CLAIMCAST_WEBHOOK__SECRET"


def _sentence(error: ClaimcastError) -> str:
    match error:
        case CredentialsError():
            return (
                f"it refuses the credentials ({error}): check CLAIMCAST_REWARDS__EMAIL and "
                "CLAIMCAST_REWARDS__ACCESS_TOKEN"
            )
        case RefusedError():
            return f"it refuses the request ({error}): check CLAIMCAST_REWARDS__BASE_URL"
        case RewardsError():
            return (
                f"it does not answer as it should ({error}): check CLAIMCAST_REWARDS__BASE_URL "
                "and the network, or try again later"
            )
        case _:
            return str(error)


def _code(error: Exception) -> int:
    """Return whether the error is one of reaching something, or of the configuration."""
    if isinstance(error, CredentialsError | RefusedError):
        return BAD_INPUT
    return UNREACHABLE if isinstance(error, UnavailableError | RewardsError) else BAD_INPUT
