"""The few pages that people see: one style, no scripts, nothing from elsewhere."""

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse

from pipeline.domain.models import ChannelName

_STYLE = (
    ":root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}"
    "main{max-width:32rem;margin:10vh auto;padding:0 1rem}"
    "button{font:inherit;padding:.6rem 1.2rem}"
)
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""What a Content-Security-Policy needs to allow the style of these pages, and no other."""

_WORDS = {
    ChannelName.EMAIL: "by e-mail",
    ChannelName.SMS: "by SMS",
    ChannelName.WEBHOOK: "in the app",
}

# The name and value are RFC 8058's, so that the button and a mail program ask for the same.
_FORM = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    '<button type="submit">Unsubscribe</button></form>'
)


def question(channel: ChannelName) -> HTMLResponse:
    """Return the page that asks; only its button changes anything."""
    text = f"We will not send you any more messages {_WORDS[channel]}."
    return _page("Unsubscribe?", text, form=_FORM)


def confirmation(channel: ChannelName) -> HTMLResponse:
    """Return the page that says that the address is unsubscribed."""
    text = f"You will not get any more messages from us {_WORDS[channel]}."
    return _page("You are unsubscribed", text)


def unknown_page() -> HTMLResponse:
    """Return the page for a link that leads to nothing (404)."""
    text = "Please use the link exactly as it stands in the message, or answer the message."
    return _page("This link is not valid", text, status=404)


def forgotten() -> HTMLResponse:
    """Return the page for a link whose data was removed."""
    text = "The message was sent long ago, and your address is not kept any more."
    return _page("This link has expired", f"{text} Please answer the message.", status=410)


def _page(title: str, text: str, *, form: str = "", status: int = 200) -> HTMLResponse:
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style>"
    )
    body = f"<main><h1>{escape(title)}</h1><p>{escape(text)}</p>{form}</main>"
    page = f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'
    return HTMLResponse(page, status)
