"""The campaigns that run meanwhile: both channels, both modes, resending and holding."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TOML = """\
id = "{id}"
name = "Chaos"

[reward]
product_id = "CVS"
value = "10.00"
currency = "USD"

[delivery]
channels = {channels}
mode = "{mode}"

[email]
subject = "Your reward, {{{{ name }}}}"
text = "Hello {{{{ name }}}}, your reward: {{{{ link }}}}"
html = "<p>Hello {{{{ name }}}}, <a href=\\"{{{{ link }}}}\\">your reward</a></p>"
on_uncertain = "{email}"

[sms]
body = "Your reward: {{{{ link }}}}"
on_uncertain = "{sms}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One campaign: its `share` of all people, and how it is delivered."""

    id: str
    share: float
    channels: tuple[str, ...]
    mode: str = "first"
    email: str = "resend"
    sms: str = "hold"

    @property
    def hold(self) -> list[str]:
        """The channels over which an uncertain message is left to a person."""
        policies = {"email": self.email, "sms": self.sms}
        return [channel for channel in self.channels if policies[channel] == "hold"]


RECIPES = (
    Recipe(id="mail", share=0.4, channels=("email",)),
    Recipe(id="hold", share=0.2, channels=("email",), email="hold"),
    Recipe(id="first", share=0.25, channels=("email", "sms")),
    Recipe(id="all", share=0.15, channels=("email", "sms"), mode="all", sms="resend"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign's two files; `mails` and `texts` is how many messages it takes."""

    recipe: Recipe
    people: int
    toml: Path
    csv: Path
    mails: int
    texts: int


def write(folder: Path, people: int, recipes: Sequence[Recipe] = RECIPES) -> Sequence[Campaign]:
    """Write the files of all campaigns, and campaigns.json for the judge."""
    found = []
    for number, recipe in enumerate(recipes):
        found.append(_write(folder, recipe, number, max(1, round(people * recipe.share))))
    facts = [
        {"id": each.recipe.id, "people": each.people, "hold": each.recipe.hold} for each in found
    ]
    (folder / "campaigns.json").write_text(json.dumps(facts), "utf-8")
    return found


def _write(folder: Path, recipe: Recipe, number: int, people: int) -> Campaign:
    toml, table = folder / f"{recipe.id}.toml", folder / f"{recipe.id}.csv"
    channels = json.dumps(recipe.channels)
    toml.write_text(
        _TOML.format(
            id=recipe.id,
            channels=channels,
            mode=recipe.mode,
            email=recipe.email,
            sms=recipe.sms,
        ),
        "utf-8",
    )
    rows = [_person(recipe, number, n) for n in range(people)]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "email", "phone", "name"])
        writer.writerows(rows)
    mails = sum(bool(row[1]) for row in rows)
    every = recipe.mode == "all"
    texts = sum(bool(row[2]) and (every or not row[1]) for row in rows)
    return Campaign(recipe=recipe, people=people, toml=toml, csv=table, mails=mails, texts=texts)


def _person(recipe: Recipe, number: int, n: int) -> tuple[str, str, str, str]:
    """Some have both, some a phone only, and some an address that does not exist."""
    special = "bounce-" if n % 97 == 5 else ""
    mail = f"{special}{recipe.id}-{n}@example.com"
    phone = f"+1415{2_000_000 + number * 1_000_000 + n}"
    if recipe.channels == ("email",):
        return f"r{n}", mail, "", f"Zoë {n}"
    if n % 4 == 0:
        return f"r{n}", "", phone, f"Li {n}"
    return f"r{n}", mail, phone if n % 2 else "", f"Ana {n}"
