"""The files of a campaign: templates with text and HTML, and any number of invented people."""

from dataclasses import dataclass
from pathlib import Path

SUBJECT = "Your reward, {{ name }}"
TEXT = "Hello {{ name }},\n\nthank you for {{ answers }} answers. Your reward: {{ link }}\n"
HTML = (
    "<p>Hello {{ name }},</p><p>thank you for {{ answers }} answers. "
    '<a href="{{ link }}">Your reward</a></p>'
)
_CAMPAIGN = """
id = "{id}"
name = "Bench"

[reward]
product_id = "CVS"
value = "10.00"
currency = "USD"

[delivery]
channels = ["{channel}"]

[email]
subject = '{subject}'
text = '''{text}'''
html = '''{html}'''

[sms]
body = "Your reward: {{{{ link }}}}"
on_uncertain = "hold"
"""
_FIRST_PHONE = 2_000_000  # all seven digits of valid numbers


@dataclass(frozen=True, slots=True)
class Files:
    """A campaign and its list on disk."""

    campaign_id: str
    campaign: Path
    recipients: Path


def name_of(number: int) -> str:
    """Return a name; every tenth is not ASCII, which costs an encoded header and body."""
    return f"Zoë Müller {number}" if number % 10 == 0 else f"Person {number}"


def write_files(
    directory: Path,
    campaign_id: str,
    people: int,
    *,
    channel: str = "email",
    phones: bool = False,
    email_limit: str | None = None,
) -> Files:
    """Write both files; the list is written as a stream, so it may be of any length."""
    files = Files(campaign_id, directory / f"{campaign_id}.toml", directory / f"{campaign_id}.csv")
    text = _CAMPAIGN.format(id=campaign_id, channel=channel, subject=SUBJECT, text=TEXT, html=HTML)
    if email_limit is not None:
        text += f'\n[limits]\nemail = "{email_limit}"\n'
    files.campaign.write_text(text, "utf-8")
    phones = phones or channel == "sms"
    with files.recipients.open("w", encoding="utf-8") as out:
        out.write("id,email,phone,name,answers\n" if phones else "id,email,name,answers\n")
        for n in range(people):
            phone = f"+1415{_FIRST_PHONE + n}," if phones else ""
            out.write(f"r{n},person-{n}@example.com,{phone}{name_of(n)},{n % 20}\n")
    return files
