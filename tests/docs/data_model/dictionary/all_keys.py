"""Every key, in the order of the page."""

from tests.docs.data_model.dictionary.campaign_keys import ALL_CAMPAIGNS, ONE_BATCH, ONE_CAMPAIGN
from tests.docs.data_model.dictionary.installation_keys import FLEET, INSTALLATION

GROUPS = {
    "One batch": ONE_BATCH,
    "One campaign": ONE_CAMPAIGN,
    "All campaigns": ALL_CAMPAIGNS,
    "The fleet": FLEET,
    "The installation": INSTALLATION,
}
KEYS = tuple(key for group in GROUPS.values() for key in group)
