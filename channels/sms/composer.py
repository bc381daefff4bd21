"""SMS texts: the template is compiled once per campaign and filled for each recipient."""

import re

from pipeline.domain.campaign import SmsContent
from pipeline.domain.errors import PermanentError
from pipeline.domain.models import DeliveryKey, Message, Recipient, ReturnPaths
from pipeline.domain.templates import Template, template_values

MAX_BODY = 1600
"""UTF-16 code units; what Twilio takes at most (error 21617 beyond), counted the careful way."""

_NO_WAY_BACK = ReturnPaths()
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class SmsComposer:
    """
    The template of one campaign; `compose` is pure, equal arguments give equal texts.

    Raises InputError if the template cannot be used.
    """

    def __init__(self, content: SmsContent) -> None:
        self._body = Template.compile(content.body, html=False, where="sms.body")

    def compose(
        self,
        recipient: Recipient,
        link: str,
        key: DeliveryKey,
        *,
        sent_at: float,  # noqa: ARG002 - the port's: an SMS shows no date of ours
        returns: ReturnPaths = _NO_WAY_BACK,
    ) -> Message:
        """
        Return the message, its content in UTF-8 without white space at the end.

        Raises PermanentError if this recipient's number or values cannot be used.
        """
        if not _E164.fullmatch(recipient.phone):
            code = "sms_bad_number"
            raise PermanentError(code, "the phone number is not in the form +4915112345678")
        content = (
            self._body.render(template_values(recipient, link)).rstrip().encode(errors="replace")
        )
        _check(content.decode(), link)
        return Message(
            key=key,
            to=recipient.phone,
            content=content,
            callback=returns.callback or "",
            link=link,
        )


def _check(body: str, link: str) -> None:
    if link not in body:
        code = "sms_no_link"
        raise PermanentError(code, "the text lost the link: put {{ link }} outside of conditions")
    if len(body.encode("utf-16-le")) > 2 * MAX_BODY:
        code = "sms_too_long"
        raise PermanentError(code, f"the text is longer than {MAX_BODY} characters")
