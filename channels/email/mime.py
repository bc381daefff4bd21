"""E-mail messages: the skeleton is made once per campaign and filled for each recipient."""

import re
from binascii import b2a_base64
from dataclasses import dataclass
from hashlib import blake2b

from channels.email.address import Mailbox, wire_form
from channels.email.headers import date, mailbox, unstructured
from pipeline.domain.campaign import EmailContent
from pipeline.domain.errors import PermanentError
from pipeline.domain.models import DeliveryKey, Message, Recipient, ReturnPaths
from pipeline.domain.templates import Template, template_values

_NO_WAY_BACK = ReturnPaths()
_MAX_LINE = 998  # octets, without the line end: RFC 5322, section 2.1.1
_BASE64_LINE = 76  # octets: RFC 2045, section 6.8
_LINE_END = re.compile(r"\r\n?|\n")
_URL = re.compile(r"https?://[!-;=?-~]{1,900}")
_TYPE = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: "


@dataclass(frozen=True, slots=True)
class _MimePart:
    template: Template
    head: bytes


class EmailComposer:
    """
    The templates of one campaign; `compose` is pure, equal arguments give equal octets.

    Raises InputError if a template or `reply_to` cannot be used.
    """

    def __init__(self, content: EmailContent, sender: Mailbox) -> None:
        self._subject = Template.compile(content.subject, html=False, where="email.subject")
        self._parts = _parts(content)
        self._boundary = _boundary(content)
        self._id_end = b"@%b>\r\nTo: " % sender.domain.encode("ascii")
        self._constant = _constant_head(content, sender)

    def compose(
        self,
        recipient: Recipient,
        link: str,
        key: DeliveryKey,
        *,
        sent_at: float,
        returns: ReturnPaths = _NO_WAY_BACK,
    ) -> Message:
        """
        Return the complete message, every line ended by CRLF and of at most 998 octets.

        Raises PermanentError if this recipient's values or address cannot be used.
        """
        to = wire_form(recipient.email)
        fields = template_values(recipient, link)
        content = b"".join(
            (
                b"Date: ",
                date(int(sent_at)),
                b"\r\nMessage-ID: <",
                key.encode("ascii"),
                self._id_end,
                mailbox(recipient.name, to, len("To: ")),
                b"\r\nSubject: ",
                unstructured(self._subject.render(fields), len("Subject: ")),
                self._constant,
                _list_head(returns.unsubscribe),
                self._body(fields),
            )
        )
        return Message(key=key, to=to, content=content, sender=returns.bounces or "", link=link)

    def _body(self, fields: dict[str, str]) -> bytes:
        boundary = self._boundary
        first, *others = self._parts
        if not others:
            return first.head + _encoded(first.template.render(fields), boundary)
        pieces = [
            b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n' % boundary,
        ]
        for part in self._parts:
            pieces += (b"--", boundary, b"\r\n", part.head)
            pieces += (_encoded(part.template.render(fields), boundary), b"\r\n")
        pieces += (b"--", boundary, b"--\r\n")
        return b"".join(pieces)


def _list_head(unsubscribe: str | None) -> bytes:
    """Return the headers of RFC 8058; only where there is a page to unsubscribe at."""
    if unsubscribe is None:
        return b""
    if not _URL.fullmatch(unsubscribe):
        code = "bad_unsubscribe"
        raise PermanentError(code, "the unsubscribe address is not an http(s) URL in ASCII")
    return (
        b"List-Unsubscribe:\r\n <%b>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" % unsubscribe.encode("ascii")
    )


def _parts(content: EmailContent) -> tuple[_MimePart, ...]:
    # The plainest comes first: RFC 2046, section 5.1.4.
    text = Template.compile(content.text, html=False, where="email.text")
    parts = [_MimePart(text, _TYPE % b"plain")]
    if content.html is not None:
        html = Template.compile(content.html, html=True, where="email.html")
        parts.append(_MimePart(html, _TYPE % b"html"))
    return tuple(parts)


def _constant_head(content: EmailContent, sender: Mailbox) -> bytes:
    head = b"\r\nFrom: " + mailbox(sender.name, sender.address, len("From: "))
    if content.reply_to is not None:
        reply_to = Mailbox.parse(content.reply_to, where="email.reply_to")
        head += b"\r\nReply-To: " + mailbox(reply_to.name, reply_to.address, len("Reply-To: "))
    return head + b"\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"


def _boundary(content: EmailContent) -> bytes:
    # `=_` cannot occur in base64; what stands in clear is searched for it.
    digest = blake2b(repr(content).encode(errors="replace"), digest_size=15)
    return b"=_" + digest.hexdigest().encode("ascii")


def _encoded(text: str, boundary: bytes) -> bytes:
    """Return the encoding's name, an empty line, and *text* in it, ended by CRLF."""
    text = _LINE_END.sub("\r\n", text) if "\r" in text else text.replace("\n", "\r\n")
    if not text.endswith("\r\n"):
        text += "\r\n"
    raw = text.encode(errors="replace")
    if text.isascii() and _stands_in_clear(raw, boundary):
        return b"7bit\r\n\r\n" + raw
    return b"base64\r\n\r\n" + _base64(raw)


def _stands_in_clear(raw: bytes, boundary: bytes) -> bool:
    if b"\0" in raw or boundary in raw:
        return False
    return len(raw) <= _MAX_LINE or max(map(len, raw.split(b"\r\n"))) <= _MAX_LINE


def _base64(raw: bytes) -> bytes:
    encoded = b2a_base64(raw, newline=False)
    lines = [encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE)]
    return b"\r\n".join(lines) + b"\r\n"
