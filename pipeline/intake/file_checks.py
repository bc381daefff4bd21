"""Checks of the list as a whole; leaving rows out does not cure what they find."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from pipeline.domain.campaign import Reward
from pipeline.domain.models import ADDRESS_FIELD, ChannelName
from pipeline.intake.files.columns import nearest
from pipeline.intake.files.problems import one_line

ListFinding = tuple[str | None, str]
"""The field and the message of a problem."""


def unknown_variables(
    needed: Mapping[str, str], provided: Collection[str]
) -> Iterator[ListFinding]:
    """Yield a finding per variable of *needed* (with the template using it) not *provided*."""
    for variable, template in needed.items():
        if variable not in provided:
            hint = nearest(variable, provided)
            message = f"is used by the template {template}, but there is no such column{hint}"
            yield one_line(variable), f"{message}; add the column or change the template"


def unreachable_channels(
    reachable: Mapping[ChannelName, int], provided: Collection[str], *, accepted: int
) -> Iterator[ListFinding]:
    """Yield a finding for each channel that reaches nobody."""
    for channel, people in reachable.items():
        field = ADDRESS_FIELD[channel]
        if not people and (accepted or field not in provided):
            message = f"is missing or empty in every row, so {channel} reaches nobody"
            yield field, f"{message}; fill it in, or take {channel} out of delivery.channels"


def over_budget(reward: Reward, accepted: int) -> Iterator[ListFinding]:
    """Yield a finding if *accepted* recipients cost more than the campaign may."""
    cost = reward.value * accepted
    if reward.max_total is not None and cost > reward.max_total:
        message = (
            f"{accepted:,} recipients at {_money(reward.value)} cost {_money(cost)}, but "
            f"reward.max_total is {_money(reward.max_total)}, which pays for "
            f"{int(reward.max_total // reward.value):,}; raise it or remove recipients"
        )
        yield None, message


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
