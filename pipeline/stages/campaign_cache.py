"""The definitions and compiled templates of the campaigns that this worker works on."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Channel, Composer
from pipeline.store.batches import Claim
from pipeline.store.campaigns import CampaignStore

_KEPT = 64


@dataclass(slots=True)
class CachedCampaign:
    """One version of a campaign; `composers` are compiled when they are first needed."""

    campaign: Campaign
    composers: dict[ChannelName, Composer] = field(default_factory=dict)
    product_checked: bool = False

    def composer(self, channel: Channel) -> Composer:
        """Return the composer for *channel*; raises InputError if a template cannot be used."""
        if channel.name not in self.composers:
            self.composers[channel.name] = channel.composer(self.campaign)
        return self.composers[channel.name]


class CampaignCache:
    """Keeps the definitions of campaigns, decrypted once per version."""

    def __init__(self, campaigns: CampaignStore, channels: Mapping[ChannelName, Channel]) -> None:
        self._campaigns = campaigns
        self._known: OrderedDict[tuple[str, int, str], CachedCampaign] = OrderedDict()
        self.channels = channels

    async def of(self, claim: Claim) -> CachedCampaign:
        """Return the campaign of *claim* in the version that the claim names."""
        # An edit after the claim stores the newer definition under the older version here; the
        # intent of each message made from it is refused (intend.lua).
        # The epoch is part of the key: a server that lost a commit gives the same serial to
        # another campaign.
        key = (claim.unit.serial, claim.epoch_ms, claim.version)
        if key not in self._known:
            self._known[key] = CachedCampaign(await self._campaigns.definition(claim.unit.serial))
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key]
