"""A request to take a campaign in."""

from dataclasses import dataclass

from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.files.problems import PROBLEMS_SHOWN
from pipeline.intake.recipient_sources import RecipientSource


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRequest:
    """
    A campaign and its people, as they were given.

    The first *keep* problems of the recipients are kept (None: all); with *skip_invalid* rows
    with problems are left out. It starts at *start_ms*, ms since the epoch, 0 for at once.
    """

    definition: CampaignDefinition
    recipients: RecipientSource
    skip_invalid: bool = False
    keep: int | None = PROBLEMS_SHOWN
    start_ms: int = 0
