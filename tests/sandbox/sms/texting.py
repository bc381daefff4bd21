"""A customer of the SMS API, without any SDK."""

from typing import Any

import httpx

from sandbox.options import SmsOptions
from tests.sandbox.driving import Customer

DEFAULTS = SmsOptions()
MESSAGES = f"/2010-04-01/Accounts/{DEFAULTS.account_sid}/Messages.json"
LOGIN = (DEFAULTS.account_sid, DEFAULTS.auth_token)
LINK = "https://claim.sandbox.example/aaaaaaaaaaaaaaaaaaaa-_"
SENDER = "+15005550006"


async def text(customer: Customer, to: str = "+4915112345678", **more: str) -> httpx.Response:
    form = {"To": to, "From": SENDER, "Body": f"Hallo Zoë: {LINK}."} | more
    return await customer.http.post(MESSAGES, data=form, auth=LOGIN)


async def listed(customer: Customer, **query: Any) -> dict[str, Any]:  # noqa: ANN401 - any parameter
    answer = await customer.http.get(MESSAGES, params=query, auth=LOGIN)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def fetched(customer: Customer, sid: str) -> dict[str, Any]:
    path = MESSAGES.replace(".json", f"/{sid}.json")
    answer = await customer.http.get(path, auth=LOGIN)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
