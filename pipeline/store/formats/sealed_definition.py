"""The definition of a campaign, sealed and opened."""

from pipeline.domain.campaign import Campaign
from pipeline.domain.vault import Vault
from pipeline.store.keys import definition_purpose


def seal_definition(vault: Vault, serial: str, campaign: Campaign) -> bytes:
    return vault.seal(campaign.model_dump_json().encode(), definition_purpose(serial))


def open_definition(vault: Vault, serial: str, sealed: bytes | None) -> Campaign:
    """Return the definition; raises SealError (also for None), or ValueError if it is damaged."""
    return Campaign.model_validate_json(vault.open(sealed or b"", definition_purpose(serial)))
