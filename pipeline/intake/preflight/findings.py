"""The findings about a campaign and its recipients."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.domain.campaign import Campaign, Reward
from pipeline.domain.errors import InputError
from pipeline.intake.files.problems import Problem
from pipeline.intake.preflight.previews import MessagePreview
from pipeline.intake.preflight.sms_estimate import SmsEstimate
from pipeline.intake.recipients import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFindings:
    """
    Everything that is wrong, and how many people, messages and how much money it comes to.

    `campaign` is None if its definition has problems. `before` are the problems other than the
    recipients'. `skip_invalid` means that rows with problems are left out.
    """

    campaign: Campaign | None
    summary: Summary | None
    before: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    previews: tuple[MessagePreview, ...] = ()
    texting: SmsEstimate | None = None
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

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`; amounts are decimal strings."""
        return {
            "campaign": self.campaign.id if self.campaign else None,
            "valid": self.usable,
            **_counts(self.summary),
            "cost": _cost(self.campaign, self.summary),
            "sms": self.texting.as_json() if self.texting else None,
            "problem_count": self.problem_count,
            "problems": [problem.as_json() for problem in self.problems],
            "warnings": list(self.warnings),
            "previews": [preview.as_json() for preview in self.previews],
        }


class InvalidInputError(InputError):
    """A campaign or its recipients have problems; `findings` holds them. Nothing was changed."""

    def __init__(self, findings: IntakeFindings) -> None:
        count = findings.problem_count
        super().__init__(f"{count:,} problem{'' if count == 1 else 's'}; nothing was changed")
        self.findings = findings


def total_value(reward: Reward, accepted: int) -> Decimal:
    """Return what *accepted* people cost, in the reward's currency."""
    return reward.value * accepted


def _cost(campaign: Campaign | None, summary: Summary | None) -> dict[str, Any] | None:
    if campaign is None or summary is None:
        return None
    reward = campaign.reward
    return {
        "value": f"{reward.value:.2f}",
        "total": f"{total_value(reward, summary.accepted):.2f}",
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
