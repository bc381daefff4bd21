"""Where the answers to a message come back: callbacks, unsubscribes, bounces."""

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from pipeline.domain.models import ChannelName, ReturnPaths

_LONGEST_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1


class ReturnPathFactory:
    """
    Makes the return paths of messages and orders.

    Without a *public_url* (where `serve` is reachable) there are no URLs; without a *bounces*
    address (whose mail is piped to `claimcast bounces`) mail goes out under its own sender.
    """

    def __init__(
        self, tokens: SignedTokens, *, public_url: str | None, bounces: str | None
    ) -> None:
        self._tokens = tokens
        self._url = public_url.rstrip("/") if public_url else None
        self._bounces = bounces

    @property
    def webhooks(self) -> bool:
        """Whether the rewards API can report that an order is complete."""
        return self._url is not None

    def of_message(self, target: Target) -> ReturnPaths:
        """Return the paths of one attempt; only the callback of an SMS names the attempt."""
        match target.channel:
            case ChannelName.EMAIL:
                return ReturnPaths(
                    unsubscribe=self._path("unsubscribe", Purpose.UNSUBSCRIBE, target),
                    bounces=self._verp(target),
                )
            case ChannelName.SMS:
                callback = self._path("webhooks/twilio", Purpose.CALLBACK, target)
                return ReturnPaths(callback=callback)
            case ChannelName.WEBHOOK:
                return ReturnPaths()

    def of_order(self, serial: str, batch: int) -> str | None:
        """Return the URL that an order's completion is reported to."""
        return self._path(
            "webhooks/fulfillment", Purpose.FULFILMENT, Target(serial=serial, batch=batch)
        )

    def _path(self, path: str, purpose: Purpose, target: Target) -> str | None:
        if self._url is None:
            return None
        return f"{self._url}/{path}/{self._tokens.make(purpose, target)}"

    def _verp(self, target: Target) -> str | None:
        if self._bounces is None:
            return None
        local, _, domain = self._bounces.partition("@")
        tagged = f"{local}+{self._tokens.make(Purpose.BOUNCE, target)}"
        if len(tagged) > _LONGEST_LOCAL:
            return None
        return f"{tagged}@{domain}"
