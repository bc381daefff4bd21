"""The message of bench/world/people.py, made with the standard library as one would by hand."""

from email.message import EmailMessage
from email.utils import formatdate, make_msgid

SENDER = "rewards@example.com"


def plain_mail(to: str, name: str, link: str, answers: int) -> EmailMessage:
    """Return a complete message with text and HTML, as claimcast's templates give."""
    message = EmailMessage()
    message["From"] = f"Rewards <{SENDER}>"
    message["To"] = to
    message["Subject"] = f"Your reward, {name}"
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain="example.com")
    message.set_content(f"Hello {name},\n\nthank you for {answers} answers. Your reward: {link}\n")
    message.add_alternative(
        f"<p>Hello {name},</p><p>thank you for {answers} answers. "
        f'<a href="{link}">Your reward</a></p>',
        subtype="html",
    )
    return message
