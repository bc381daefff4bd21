"""Checks whether the campaign's templates can be used, and which variables they need."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import ChannelName
from pipeline.domain.templates import Template

_LINK = "https://claim.invalid/0"
_WHOLE_LINKS = (_LINK, quote(_LINK))  # as it is, or inside of another URL
_SAMPLES = ("x", "1", "")


class _Kind(NamedTuple):
    channel: ChannelName
    key: str
    holds_link: bool | None
    """Whether the link must stand in it (True), must not (False), or may (None)."""

    @property
    def dotted(self) -> str:
        return f"{self.channel}.{self.key}"

    def compiled(self, source: str) -> Template:
        return Template.compile(source, html=self.key == "html", where=self.dotted)


_KINDS = (
    _Kind(ChannelName.EMAIL, "subject", holds_link=False),
    _Kind(ChannelName.EMAIL, "text", holds_link=True),
    _Kind(ChannelName.EMAIL, "html", holds_link=True),
    _Kind(ChannelName.SMS, "body", holds_link=True),
    # The link is sent beside them, in a field of its own.
    _Kind(ChannelName.WEBHOOK, "title", holds_link=False),
    _Kind(ChannelName.WEBHOOK, "body", holds_link=None),
)


def template_faults(data: Mapping[str, object]) -> Iterator[tuple[tuple[str, str], str]]:
    """
    Yield the key and the fault of each template in a campaign file's *data*.

    A missing template, or one that is not text, is skipped: the check of the form reports it.
    """
    for kind in _KINDS:
        section = data.get(kind.channel)
        source = section.get(kind.key) if isinstance(section, Mapping) else None
        if isinstance(source, str) and (fault := _fault(kind, source)):
            yield (kind.channel.value, kind.key), fault


def needed_columns(campaign: Campaign) -> dict[str, str]:
    """
    Return the variables that a column must provide, each with a template that uses it.

    Raises InputError if a template cannot be compiled.
    """
    needed: dict[str, str] = {}
    for kind in _KINDS:
        source = getattr(getattr(campaign, kind.channel), kind.key, None)
        if source and kind.channel in campaign.delivery.channels:
            for variable in sorted(kind.compiled(source).variables - {"link"}):
                needed.setdefault(variable, kind.dotted)
    return needed


def _fault(kind: _Kind, source: str) -> str:
    try:
        template = kind.compiled(source)
    except InputError as error:
        return "cannot be used: " + str(error).removeprefix(kind.dotted).lstrip(":, ")
    if kind.holds_link is None:
        return ""
    if not kind.holds_link:
        if "link" in template.variables:
            return (
                f"must not hold {{{{ link }}}}: {kind.key}s end up in logs; put it into the text"
            )
        return ""
    if "link" not in template.variables:
        return "does not hold {{ link }}, so nobody would get their link; add it"
    if any(_loses_link(template, sample) for sample in _SAMPLES):
        return "leaves out or changes {{ link }} for some recipients; put it outside of conditions"
    return ""


def _loses_link(template: Template, sample: str) -> bool:
    values = dict.fromkeys(template.variables, sample) | {"link": _LINK}
    try:
        text = template.render(values)
    except PermanentError:
        return False  # real values may fill it
    return not any(link in text for link in _WHOLE_LINKS)
