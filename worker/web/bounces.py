"""Delivery status notifications, taken in from a mail server or from the command line."""

from enum import StrEnum

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline.callbacks.dsn import LARGEST, Bounce, parse_bounce
from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from worker.web.bodies import body_of
from worker.web.feedback import Feedback
from worker.web.metrics import WebhookCounter

log = structlog.get_logger()

POSTED_BOUNCE = Target(serial="0", batch=0)
"""What the token in the address of the webhook speaks of: no message, so nobody else has it."""


class BounceResult(StrEnum):
    """What became of a notification."""

    RECORDED = "recorded"
    NOT_FINAL = "not_final"
    UNREADABLE = "unreadable"
    FORGED = "forged"


class BounceIntake:
    """Takes in notifications; each may come any number of times."""

    def __init__(self, tokens: SignedTokens, feedback: Feedback) -> None:
        self._tokens = tokens
        self._feedback = feedback

    async def record_notification(self, raw: bytes) -> BounceResult:
        """Record what a message says, if it is a notification about one of ours."""
        bounce = parse_bounce(raw)
        result = BounceResult.UNREADABLE if bounce is None else await self._record(bounce)
        if result in {BounceResult.UNREADABLE, BounceResult.FORGED}:
            log.info("bounce.ignored", why=result.value)
        return result

    async def _record(self, bounce: Bounce) -> BounceResult:
        target = self._target(bounce)
        if target is None:
            return BounceResult.FORGED
        names = {"serial": target.serial, "batch": target.batch, "index": target.index}
        log.info(
            "bounce.received",
            **names,
            action=bounce.action,
            status=bounce.status,
            why=bounce.diagnostic,
        )
        fact = bounce.fact()
        if fact is None:
            return BounceResult.NOT_FINAL
        kind, code = fact
        if bounce.dead:
            await self._feedback.suppress(target, code)
        await self._feedback.record(target, kind, code)
        return BounceResult.RECORDED

    def _target(self, bounce: Bounce) -> Target | None:
        for token in bounce.tokens:
            target = self._tokens.read(Purpose.BOUNCE, token)
            if target is not None and target != POSTED_BOUNCE:
                return target
        return None


class BounceWebhook:
    """`POST /webhooks/bounces/{token}`: one notification, as message/rfc822."""

    def __init__(
        self, tokens: SignedTokens, intake: BounceIntake, webhooks: WebhookCounter
    ) -> None:
        self._tokens = tokens
        self._intake = intake
        self._count = webhooks.count

    async def receive(self, request: Request) -> Response:
        if self._tokens.read(Purpose.BOUNCE, request.path_params["token"]) != POSTED_BOUNCE:
            self._count("bounce", "unknown_token")
            raise HTTPException(404)
        result = await self._intake.record_notification(await body_of(request, LARGEST))
        self._count("bounce", "taken" if result is BounceResult.RECORDED else "ignored")
        return Response(status_code=202)


def bounce_path(tokens: SignedTokens) -> str:
    """Return the path of the webhook; a client that knows it may post notifications."""
    return f"/webhooks/bounces/{tokens.make(Purpose.BOUNCE, POSTED_BOUNCE)}"
