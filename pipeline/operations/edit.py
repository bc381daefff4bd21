"""Changing the messages and limits of a paused campaign, in one step or not at all."""

import asyncio
import secrets
from dataclasses import dataclass

from pipeline.domain.campaign import Campaign
from pipeline.domain.campaign_versions import differences, is_editable
from pipeline.domain.clock import uptime
from pipeline.domain.errors import InputError
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.snapshot import CampaignSnapshot

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit changes: the version it starts from, and the keys that differ."""

    made_from: int
    keys: tuple[str, ...]


async def change_of(
    campaigns: CampaignStore, snapshot: CampaignSnapshot, wanted: Campaign
) -> Change:
    """
    Return what differs from the stored campaign; no keys if nothing does.

    Raises InputError if something differs that no edit can change.
    """
    differing = differences(await campaigns.definition(snapshot.serial), wanted)
    fixed = [key for key in differing if not is_editable(key)]
    if fixed:
        verb = "differs" if len(fixed) == 1 else "differ"
        msg = (
            f'{", ".join(fixed)} {verb} from what campaign "{snapshot.campaign_id}" was submitted'
            " with, and only messages and limits can be edited: nothing was changed."
        )
        raise InputError(msg)
    return Change(snapshot.version, tuple(differing))


def check_editable(snapshot: CampaignSnapshot) -> None:
    """Raise InputError unless the campaign is paused and has not ended."""
    if snapshot.cancelled or snapshot.ended:
        raise _refused("ended", snapshot)
    if not snapshot.paused:
        raise _refused("running", snapshot)


async def on_the_wire(campaigns: CampaignStore, serial: str, *, patience: float) -> int:
    """Wait until nothing is being sent, *patience* seconds at most; return how many still are."""
    until = uptime() + patience
    while sending := (await campaigns.snapshot(serial)).deliveries()["sending"]:
        if uptime() >= until:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return sending


async def make_change(
    campaigns: CampaignStore, snapshot: CampaignSnapshot, wanted: Campaign, change: Change
) -> int:
    """
    Make the change in one step and return the new version.

    Raises InputError, with nothing changed, if the campaign was edited, resumed or ended by
    somebody else since *snapshot*.
    """
    outcome, version = await campaigns.edit(
        snapshot.serial, wanted, made_from=change.made_from, nonce=secrets.token_hex(8)
    )
    if outcome != "ok":
        raise _refused(outcome, snapshot)
    return version


def _refused(why: str, snapshot: CampaignSnapshot) -> InputError:
    campaign = snapshot.campaign_id
    match why:
        case "running":
            msg = (
                f'Campaign "{campaign}" is not paused, so nothing was changed: `claimcast pause '
                f"{campaign}`, then this again, then `claimcast resume {campaign}`."
            )
        case "other":
            msg = (
                f'Somebody else has edited campaign "{campaign}" meanwhile: nothing was changed by'
                " this. Look at what they did, and run this again."
            )
        case _:
            msg = f'Campaign "{campaign}" has ended, so nothing more is sent: nothing was changed.'
    return InputError(msg)
