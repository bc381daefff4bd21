"""One click unsubscribes, looking does not, and neither needs anything from elsewhere."""

import base64
import hashlib
import re

import pytest

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.models import ChannelName
from tests.pipeline.intake.builders import both_channels
from tests.worker.web.site import Site
from worker.web.unsubscribe import one_click

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FIRST = "p0@example.com"


async def path(site: Site, channel: ChannelName = ChannelName.EMAIL, index: int = 0) -> str:
    serial = await site.installation.submitted(campaign=both_channels())
    return "/unsubscribe/" + site.token(Purpose.UNSUBSCRIBE, serial, index=index, channel=channel)


async def test_one_click_suppresses_the_address(site: Site) -> None:
    address = await path(site)
    for _ in range(2):
        answer = await site.client.post(address, data=ONE_CLICK)
        assert answer.status_code == 200
        assert "You are unsubscribed" in answer.text
    assert await site.reason(ChannelName.EMAIL, FIRST) == "unsubscribed"
    assert await site.app.suppressions.count() == {"unsubscribed": 1}


async def test_it_holds_for_the_channel_of_the_message(site: Site) -> None:
    answer = await site.client.post(await path(site, ChannelName.SMS, 1), data=ONE_CLICK)
    assert "by SMS" in answer.text
    assert await site.reason(ChannelName.SMS, "+4930123456001") == "unsubscribed"
    assert await site.reason(ChannelName.EMAIL, "p1@example.com") is None


async def test_the_other_form_of_the_rfc_is_understood(site: Site) -> None:
    answer = await site.client.post(
        await path(site), files={"List-Unsubscribe": (None, "One-Click")}
    )
    assert answer.status_code == 200
    assert await site.reason(ChannelName.EMAIL, FIRST) == "unsubscribed"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_changes_nothing(site: Site, method: str) -> None:
    answer = await site.client.request(method, await path(site))
    assert answer.status_code == 200
    assert await site.app.suppressions.count() == {}


async def test_the_button_asks_for_what_a_mail_program_asks_for(site: Site) -> None:
    address = await path(site)
    page = (await site.client.get(address)).text
    assert '<html lang="en">' in page
    assert "<form method=" in page
    assert 'action="' not in page  # so that it goes to this very address
    name, value = re.findall(r'name="([^"]+)" value="([^"]+)"', page)[0]
    assert (await site.client.post(address, data={name: value})).status_code == 200
    assert await site.reason(ChannelName.EMAIL, FIRST) == "unsubscribed"


async def test_the_page_takes_nothing_from_elsewhere_and_its_policy_allows_what_it_has(
    site: Site,
) -> None:
    answer = await site.client.get(await path(site))
    assert not re.search(r"https?:|src=|<script|<link|url\(", answer.text)
    styles = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert f"'sha256-{digest}'" in policy
    assert "form-action 'self'" in policy
    assert len(styles) == 1
    assert "style=" not in answer.text


async def test_an_unknown_link_is_answered_with_a_page(site: Site) -> None:
    serial = await site.installation.submitted()
    foreign = site.token(Purpose.BOUNCE, serial)
    for token in (foreign, "nonsense"):
        for method in ("GET", "POST"):
            answer = await site.client.request(method, f"/unsubscribe/{token}", data=ONE_CLICK)
            assert answer.status_code == 404
            assert "<h1>This link is not valid</h1>" in answer.text
    assert await site.app.suppressions.count() == {}


async def test_a_body_without_the_field_changes_nothing(site: Site) -> None:
    address = await path(site)
    for body in (b"", b"List-Unsubscribe=Later", b"x" * 5000):
        answer = await site.client.post(address, content=body)
        assert answer.status_code == (413 if len(body) > 4096 else 400)
    assert await site.app.suppressions.count() == {}


async def test_data_that_was_removed_is_reported(site: Site) -> None:
    address = await path(site)
    async for key in site.app.redis.scan_iter(match="cc:*:r:*"):
        await site.app.redis.delete(key)
    answer = await site.client.post(address, data=ONE_CLICK)
    assert answer.status_code == 410
    assert "expired" in answer.text


@pytest.mark.parametrize(
    ("kind", "body", "found"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click", True),
        ("", b"List-Unsubscribe=One%2DClick\r\n", True),
        ("text/plain", b"a=b&List-Unsubscribe=One-Click", True),
        ("", b"List-Unsubscribe=One-Clickx", False),
        ("", b"\xff\xfe", False),
        ("multipart/form-data", b"List-Unsubscribe=One-Click", False),
        ("multipart/form-data; boundary=" + "b" * 500, b"", False),
    ],
)
def test_the_field_is_found_where_it_is(kind: str, body: bytes, *, found: bool) -> None:
    assert one_click(kind, body) is found
