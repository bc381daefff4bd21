"""Orders shown otherwise than they are, for as long as a fault is switched on."""

import json
from typing import Any

from sandbox.faults import Faults
from sandbox.rewards.issuing import CLAIM_URL

_PLACES = ("Links", "ClaimLinks", "Claims", "AllLinks")


def disguised(answer: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """Return the JSON of an order as *faults* want it seen; the order itself stays as it is."""
    text = json.dumps(answer)
    if faults.links_http:
        text = text.replace(CLAIM_URL, CLAIM_URL.replace("https:", "http:"))
    if faults.links_elsewhere:
        text = text.replace(CLAIM_URL, "https://elsewhere.sandbox.example/", 1)
    shown: dict[str, Any] = json.loads(text)
    for item in shown["LineItems"]:
        if faults.links_ambiguous:
            item["CardLinks"] = [CLAIM_URL + f"card-{k}" for k in range(item["Quantity"])]
        if faults.order_shown_wrong:
            item["Value"] += 1
    for part in (shown, *shown["LineItems"]) if faults.links_hidden else ():
        for place in _PLACES:
            part.pop(place, None)
    return shown
