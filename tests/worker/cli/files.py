"""Campaign and recipients files as people have them, sound ones and others."""

from dataclasses import dataclass
from pathlib import Path

CAMPAIGN = """\
id = "{id}"
name = "November survey"

[reward]
product_id = "{product}"
value = "{value}"
currency = "USD"
{more}
[delivery]
channels = {channels}

[email]
subject = "Your reward, {{{{ name }}}}"
text = "Hello {{{{ name }}}}: {{{{ link }}}}"
html = "<p>{{{{ link }}}}</p>"

[sms]
body = "{{{{ link }}}}"
"""
PEOPLE = "id,email,name\n1,one@example.com,Zoë\n2,two@example.com,王秀英\n"


def campaign_text(
    *,
    id: str = "survey",  # noqa: A002 - the file's own key
    product: str = "CVS",
    value: str = "10.00",
    more: str = "",
    channels: str = '["email"]',
) -> str:
    return CAMPAIGN.format(id=id, product=product, value=value, more=more, channels=channels)


def people_text(number: int) -> str:
    rows = [f"r{n},person-{n}@example.com,Nº {n}" for n in range(1, number + 1)]
    return "\n".join(["id,email,name", *rows]) + "\n"


@dataclass(frozen=True, slots=True)
class Files:
    """The two files in one folder, as they are named on the command line."""

    campaign: Path
    people: Path

    @classmethod
    def written(
        cls,
        folder: Path,
        campaign: str | bytes | None = None,
        people: str | bytes | None = PEOPLE,
        name: str = "people.csv",
    ) -> "Files":
        """Write both files; None for the people means that there is no such file."""
        files = cls(folder / "campaign.toml", folder / name)
        files.campaign.write_bytes(_octets(campaign_text() if campaign is None else campaign))
        if people is not None:
            files.people.write_bytes(_octets(people))
        return files

    @property
    def words(self) -> tuple[str, str]:
        return str(self.campaign), str(self.people)


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that is wrong with the files, and what a person sees about it."""

    name: str
    message: str
    campaign: str | bytes | None = None
    people: str | bytes | None = PEOPLE
    file: str = "people.csv"


def people(*rows: str, columns: str = "id,email,name") -> str:
    return "\n".join([columns, *rows]) + "\n"


ONE = "1,one@example.com,A"
DEFECTS = (
    Defect(
        "missing id",
        "people.csv, line 3: id: is missing; give every recipient an id of its own",
        people=people(ONE, ",two@example.com,B"),
    ),
    Defect(
        "duplicate id",
        "people.csv, line 3: id: is the same as on line 2; make it unique",
        people=people(ONE, "1,two@example.com,B"),
    ),
    Defect(
        "malformed address",
        "people.csv, line 2: email: is not an e-mail address",
        people=people("1,one.example.com,A", "2,two@example.com,B"),
    ),
    Defect(
        "missing address",
        "people.csv, line 3: has no address; fill in email",
        people=people(ONE, "2,,B"),
    ),
    Defect(
        "malformed phone",
        "people.csv, line 2: phone: must be an international number such as +14155552671",
        campaign=campaign_text(channels='["email", "sms"]'),
        people=people("1,one@example.com,A,0171 123", columns="id,email,name,phone"),
    ),
    Defect(
        "a channel that reaches nobody",
        "people.csv: phone: is missing or empty in every row, so sms reaches nobody",
        campaign=campaign_text(channels='["email", "sms"]'),
    ),
    Defect(
        "duplicate address",
        "people.csv, line 3: email: is the same as on line 2; remove one of the rows",
        people=people(ONE, "2,One@example.com,B"),
    ),
    Defect(
        "a variable that no column provides",
        "people.csv: name: is used by the template email.subject, but there is no such column",
        people=people("1,one@example.com", columns="id,email"),
    ),
    Defect(
        "more than max_total",
        "2 recipients at 10.00 cost 20.00, but reward.max_total is 15.00, which pays for 1",
        campaign=campaign_text(more='max_total = "15.00"'),
    ),
    Defect("no such file", "people.csv: does not exist; check the path", people=None),
    Defect("binary file", "people.csv: looks like an Excel", people=b"PK\x03\x04" + bytes(64)),
    Defect(
        "not UTF-8",
        "line 2: ",
        people="id,email,name\n1,one@example.com,Zo\xeb\n".encode("latin-1"),
    ),
    Defect("empty file", "people.csv: ", people=""),
    Defect("no rows", "people.csv: holds no recipients", people="id,email,name\n"),
    Defect(
        "broken NDJSON",
        "people.ndjson, line 2: ",
        people='{"id": "1", "email": "one@example.com", "name": "A"}\n{"id": \n',
        file="people.ndjson",
    ),
    Defect(
        "broken TOML",
        "campaign.toml, line 2, column 8: ",
        campaign='id = "survey"\nname = \n',
    ),
    Defect(
        "unknown key",
        "campaign.toml, line 8: reward.max_totl: is not a key of a campaign file "
        '(did you mean "max_total"?)',
        campaign=campaign_text(more='max_totl = "15.00"'),
    ),
    Defect(
        "broken template",
        "campaign.toml, line 14: email.text: cannot be used",
        campaign=campaign_text().replace("{{ name }}:", "{{ name:"),
    ),
    Defect("binary campaign", "campaign.toml: looks like", campaign=b"PK\x03\x04" + bytes(64)),
    Defect(
        "bad reply_to",
        "email.reply_to must be an e-mail address",
        campaign=campaign_text().replace("[sms]", 'reply_to = "nobody"\n[sms]'),
    ),
)
OUTSIDE = (
    Defect(
        "unknown product",
        'campaign.toml, line 4: reward: product "CVX" is not offered by this account; '
        'the nearest are "CVS"',
        campaign=campaign_text(product="CVX"),
    ),
    Defect(
        "denomination not offered",
        'campaign.toml, line 4: reward: product "CVS" has no value 7.00; choose one of 5, 10',
        campaign=campaign_text(value="7.00"),
    ),
    Defect(
        "product without links",
        "cannot be ordered as claim links",
        campaign=campaign_text(product="KROGER-CARD"),
    ),
    Defect(
        "another currency",
        "is in CAD, not in USD; correct reward.currency",
        campaign=campaign_text(product="TIMS-CA"),
    ),
)


def _octets(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
