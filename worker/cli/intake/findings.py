"""What was found out about a campaign and its recipients, as text and as a JSON document."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from pipeline.domain.campaign import Campaign, Reward
from pipeline.domain.errors import InputError
from pipeline.intake.files.problems import SHOWN, Problem
from pipeline.intake.recipients import Summary
from worker.cli.intake.preview import Preview
from worker.cli.intake.sms_estimate import TextingEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """
    Everything that is wrong, and what the campaign comes to.

    `campaign` is None if its file has problems; `before` are problems besides the recipients'
    own; `skip_invalid` means that rows with problems are left out.
    """

    campaign: Campaign | None
    summary: Summary | None
    before: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    previews: tuple[Preview, ...] = ()
    texting: TextingEstimate | None = None
    skip_invalid: bool = False

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.before + (self.summary.problems if self.summary else ())

    @property
    def problem_count(self) -> int:
        return len(self.before) + (self.summary.problem_count if self.summary else 0)

    @property
    def usable(self) -> bool:
        """Whether a submit would go on with this."""
        if self.before or self.summary is None or self.campaign is None:
            return False
        return not (self.summary.fatal_count if self.skip_invalid else self.problem_count)

    @property
    def total(self) -> str:
        """How many problems there are, in words."""
        return _number(self.problem_count, "problem")

    def problem_lines(self) -> Iterator[str]:
        """Yield the first problems and how many more there are."""
        yield from (str(problem) for problem in self.problems[:SHOWN])
        more = self.problem_count - SHOWN
        if more > 0:
            yield f"... and {_number(more, 'more problem')}; --json shows all."

    def lines(self) -> Iterator[str]:
        """Yield the whole of it for people."""
        yield from chain(self.problem_lines(), (f"Warning: {each}" for each in self.warnings))
        if self.problem_count:
            yield f"{self.total}."
        yield from self._totals()
        for preview in self.previews:
            yield from ("", *preview.lines())
        if self.usable:
            yield ""
            yield "This can be submitted. Nothing was ordered or sent."
        else:
            yield "Nothing was changed; correct this and try again."

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`; amounts are decimal strings."""
        return {
            "campaign": self.campaign.id if self.campaign else None,
            "valid": self.usable,
            **_counts(self.summary),
            "cost": _cost_json(self.campaign, self.summary),
            "sms": _sms_json(self.texting),
            "problem_count": self.problem_count,
            "problems": [problem.as_json() for problem in self.problems],
            "warnings": list(self.warnings),
            "previews": [preview.as_json() for preview in self.previews],
        }

    def _totals(self) -> Iterator[str]:
        summary = self.summary
        if summary is None or self.campaign is None:
            return
        yield f"{self.campaign.name} ({self.campaign.id})"
        yield f"  people       {people(summary)}"
        yield f"  cost         {cost(self.campaign.reward, summary.accepted)}"
        for channel, reachable in summary.reachable.items():
            yield f"  {channel:12} reaches {reachable:,} of {summary.accepted:,}"
        if self.texting is not None and self.texting.messages:
            yield f"  texting      {self.texting}"


class InvalidInputError(InputError):
    """The files have problems; `findings` holds them. Nothing was changed."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(f"{findings.total}; nothing was changed")
        self.findings = findings


def _sms_json(texting: TextingEstimate | None) -> dict[str, Any] | None:
    if texting is None:
        return None
    price = texting.price
    return {
        "messages": texting.messages,
        "segments": texting.segments,
        "not_gsm7": texting.unicode,
        "cost": None if price is None else str(texting.segments * price),
    }


def people(summary: Summary) -> str:
    """Return how many people are taken in, and how many rows are not."""
    others = []
    if summary.rejected:
        others.append(f"{_number(summary.rejected, 'row')} with problems")
    if summary.skipped:
        others.append(f"{_number(summary.skipped, 'row')} skipped as duplicates")
    return f"{summary.accepted:,}" + (f" ({', '.join(others)})" if others else "")


def cost(reward: Reward, accepted: int) -> str:
    """Return what *accepted* people cost, in words."""
    unit = f" {reward.currency}" if reward.currency else ""
    return f"{accepted:,} x {reward.value:,.2f}{unit} = {_total(reward, accepted):,.2f}{unit}"


def _total(reward: Reward, accepted: int) -> Decimal:
    return reward.value * accepted


def _cost_json(campaign: Campaign | None, summary: Summary | None) -> dict[str, Any] | None:
    if campaign is None or summary is None:
        return None
    reward = campaign.reward
    return {
        "value": f"{reward.value:.2f}",
        "total": f"{_total(reward, summary.accepted):.2f}",
        "currency": reward.currency,
    }


def _counts(summary: Summary | None) -> dict[str, Any]:
    if summary is None:
        return {"rows": 0, "accepted": 0, "skipped": 0, "rejected": 0, "reachable": {}}
    return {
        "rows": summary.rows,
        "accepted": summary.accepted,
        "skipped": summary.skipped,
        "rejected": summary.rejected,
        "reachable": {channel.value: n for channel, n in summary.reachable.items()},
    }


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
