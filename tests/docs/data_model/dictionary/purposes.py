"""What is sealed or digested, and for what: the purposes of `pipeline/store/keys.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.store import keys


@dataclass(frozen=True, slots=True)
class PurposeEntry:
    """One purpose: its name in keys.py, what to call it with, and what is in or behind it."""

    name: str
    args: tuple[str | int, ...]
    holds: str

    @property
    def text(self) -> str:
        """Return the purpose, with names in angle brackets for what differs."""
        made = getattr(keys, self.name)
        return str(made(*self.args) if callable(made) else made)


SEALS = (
    PurposeEntry("DIGEST_KEY_PURPOSE", (), "`digest` of `cc:keys`: 32 random bytes."),
    PurposeEntry("TOKEN_PURPOSE", (), "`cc:rewards:<account>:token`: JSON, see its key."),
    PurposeEntry(
        "definition_purpose",
        ("<serial>",),
        "`cc:<serial>:def` and `:def:<version>`: the campaign file as JSON (`Campaign`).",
    ),
    PurposeEntry(
        "recipients_purpose",
        ("<serial>", "<batch>"),
        '`cc:<serial>:r:<batch>`: `{"variables": [names], "rows": [[id, email, phone, name, '
        "locale, "
        "timezone, *values of the variables], …]}`. A row whose `id` is empty stands for somebody "
        "who was erased.",
    ),
    PurposeEntry(
        "links_purpose",
        ("<serial>", "<batch>"),
        "`cc:<serial>:k:<batch>`: one link a line, in the recipients' order; an empty line for "
        "somebody who was erased.",
    ),
    PurposeEntry(
        "evidence_purpose",
        ("<serial>", "<batch>"),
        "`cc:<serial>:raw:<batch>`: the body that the rewards API answered with.",
    ),
    PurposeEntry(
        "resends_purpose",
        ("<serial>", "<digest of the id, hex>"),
        "A field of `cc:<serial>:a:<batch>`: `[[channel letter, resend number, address, ms], …]`. "
        "Bound to the person, not to the place, so that it moves with them to another batch.",
    ),
)
DIGESTS = (
    PurposeEntry(
        "RECIPIENT_DIGEST",
        (),
        '9 bytes of `"<serial>\\n<id>"`: fields of `cc:<serial>:x:<bucket>`.',
    ),
    PurposeEntry(
        "LINK_DIGEST",
        (),
        "12 bytes of the link: the first two choose the bucket of `cc:links:`, the others are the "
        "field.",
    ),
    PurposeEntry(
        "LINK_REFERENCE_DIGEST", (), "8 bytes of the link: its reference in reports and logs."
    ),
    PurposeEntry(
        "SUPPRESSION_DIGEST",
        (),
        '12 bytes of `"<channel>\\n<address, case-folded>"`: the first two choose the bucket of '
        "`cc:suppressed:`, the others are the field.",
    ),
    PurposeEntry(
        "AUDIT_PERSON_DIGEST",
        (),
        '8 bytes of `"<campaign id>\\n<recipient id>"`: `recipient` in entries of the trail.',
    ),
    PurposeEntry(
        "AUDIT_CHAIN_DIGEST",
        (),
        "20 bytes of the JSON `[number, mac before, entry]`: the `mac` of an entry.",
    ),
    PurposeEntry(
        "signed_token_digest",
        ("<purpose>",),
        "12 bytes of the 13 before them: the MAC of a signed token.",
    ),
)


def seals_markdown() -> str:
    return _table(("purpose", "where, and what is in it"), SEALS)


def digests_markdown() -> str:
    return _table(("purpose", "what is digested, and where it is used"), DIGESTS)


def _table(titles: tuple[str, str], entries: Sequence[PurposeEntry]) -> str:
    head = [f"| {titles[0]} | in `keys.py` | {titles[1]} |", "|---|---|---|"]
    rows = [f"| `{each.text}` | `{each.name}` | {each.holds} |" for each in entries]
    return "\n".join([*head, *rows])
