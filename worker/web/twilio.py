"""Twilio's webhooks: what became of an SMS, and what people answer to it."""

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # no py.typed

from channels.sms.codes import failure, of_callback
from config.settings import Settings
from pipeline.callbacks.signed_tokens import Purpose, SignedTokens
from pipeline.domain.errors import BlockedError, DeliveryError, PermanentError
from pipeline.domain.models import ChannelName, FactKind
from pipeline.intake.fields import phone
from pipeline.store.suppressions import Suppressions
from worker.web.bodies import form_of
from worker.web.feedback import Feedback
from worker.web.metrics import WebhookCounter

OPT_OUT = "opt-out"

# Twilio's own default keywords, each as the whole text of a message.
_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
_START = frozenset({"START", "YES", "UNSTOP"})
# 21610 is how Twilio says that the person had opted out before.
_UNDONE_BY_START = frozenset({OPT_OUT, "twilio_21610"})
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?>\n<Response/>\n'

Form = ImmutableMultiDict[str, str]


class TwilioSignature:
    """
    Checks whether Twilio signed a request, by the address under which it knows us.

    Without a Twilio account, or without CLAIMCAST_PUBLIC_URL, nothing can be checked and every
    request is refused. A proxy in front must hand on paths as they came, without its own prefix.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.public_url
        account = settings.twilio
        self._validator = (
            RequestValidator(account.auth_token.get_secret_value()) if account else None
        )

    async def signed_form(self, request: Request) -> Form | None:
        """Return the form, or None unless Twilio signed it; raises HTTPException 400 or 413."""
        if self._validator is None or self._url is None:
            return None
        form = await form_of(request)
        # As it was sent, not decoded: the signature is over the exact characters.
        path = request.scope["raw_path"].decode("ascii")
        query = request.scope["query_string"].decode("ascii")
        url = f"{self._url}{path}?{query}" if query else f"{self._url}{path}"
        signature = request.headers.get("x-twilio-signature", "")
        return form if self._validator.validate(url, form, signature) else None


class StatusCallback:
    """`POST /webhooks/twilio/{token}`: a status of the message that the token names."""

    def __init__(
        self,
        signature: TwilioSignature,
        tokens: SignedTokens,
        feedback: Feedback,
        webhooks: WebhookCounter,
    ) -> None:
        self._signature = signature
        self._tokens = tokens
        self._feedback = feedback
        self._count = webhooks.count

    async def receive(self, request: Request) -> Response:
        form = await self._signature.signed_form(request)
        if form is None:
            self._count("twilio", "bad_signature")
            raise _unsigned()
        target = self._tokens.read(Purpose.CALLBACK, request.path_params["token"])
        if target is None:
            self._count("twilio", "unknown_token")
            raise HTTPException(404)
        status, number = form.get("MessageStatus", ""), _number(form.get("ErrorCode", ""))
        found = of_callback(status, number)
        if found is not None:
            kind, code, dead = found
            error = failure(status, number)
            if isinstance(error, BlockedError):
                await self._feedback.provider_failed(target, error)
            if not _is_about_the_person(error):
                kind = (
                    FactKind.FAILED_OUTRIGHT
                )  # no reason to try another channel before somebody has looked
            if dead:
                await self._feedback.suppress(target, code)
            await self._feedback.record(target, kind, code)
        self._count("twilio", "taken" if found else "ignored")
        return Response(status_code=204)


class InboundMessage:
    """`POST /webhooks/twilio/inbound`: somebody writes to our number; STOP and START count."""

    def __init__(
        self, signature: TwilioSignature, suppressions: Suppressions, webhooks: WebhookCounter
    ) -> None:
        self._signature = signature
        self._suppressions = suppressions
        self._count = webhooks.count

    async def receive(self, request: Request) -> Response:
        form = await self._signature.signed_form(request)
        if form is None:
            self._count("inbound", "bad_signature")
            raise _unsigned()
        self._count("inbound", "taken" if await self._apply_keyword(form) else "ignored")
        return Response(_EMPTY_TWIML, media_type="text/xml")

    async def _apply_keyword(self, form: Form) -> bool:
        try:
            sender = phone(form.get("From", ""))
        except ValueError:
            return False  # a short code, or another service's way to name people
        # What the operator set up at Twilio for other languages comes as OptOutType.
        word = form.get("OptOutType", "") or form.get("Body", "").strip(" \t\r\n.!\"'").upper()
        if word in _STOP:
            await self._suppressions.add(ChannelName.SMS, sender, OPT_OUT)
            return True
        if word in _START:
            await self._undo_stop(sender)
            return True
        return False

    async def _undo_stop(self, sender: str) -> None:
        """Undo a STOP; what the operator or an unsubscribe page put on the list stays."""
        [reason] = await self._suppressions.reasons([(ChannelName.SMS, sender)])
        if reason in _UNDONE_BY_START:
            await self._suppressions.remove(ChannelName.SMS, sender)


def _is_about_the_person(error: DeliveryError | None) -> bool:
    if isinstance(error, PermanentError):
        return error.fallback
    return not isinstance(error, BlockedError)


def _unsigned() -> HTTPException:
    return HTTPException(403, "The request does not carry a valid X-Twilio-Signature.")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
