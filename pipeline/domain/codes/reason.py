"""What a reason is, and the sentences that many of them share."""

from dataclasses import dataclass
from typing import Literal

ReasonKind = Literal["delivery", "hold", "block", "note"]


@dataclass(frozen=True, slots=True)
class Reason:
    """
    What a code means for people.

    `meaning` is a clause without a full stop, `by_itself` a sentence on what goes on without a
    person, `action` one on what a person does; `{campaign}` stands for the campaign's id in it.
    """

    code: str
    kind: ReasonKind
    meaning: str
    by_itself: str
    action: str

    def remedy(self, campaign: str) -> str:
        return self.action.replace("{campaign}", campaign)


NOTHING = "Nothing; the other batches go on."
WAITS = "Everything waits; nobody's attempts are spent."
TRIES = "The message is tried again, until it is given up after CLAIMCAST_RETRY__GIVE_UP."
ANOTHER = "The next channel is used where the person has one; this address is not tried again."
RESUME = "then run `claimcast resume {campaign}`"
HELD = "`claimcast retry {campaign} --held`"
REORDER = "`claimcast reorder {campaign} BATCH --yes`"
FAILED = "`claimcast retry {campaign} --failed`"
DEAD = (
    "Ask the person for another address and run `claimcast resend {campaign} RECIPIENT --email "
    "ADDRESS`; to try the same one again, take it off the suppression list with `claimcast "
    f"suppress remove --email ADDRESS`, then run {FAILED}."
)
NONE_NEEDED = "Nothing has to be done."
