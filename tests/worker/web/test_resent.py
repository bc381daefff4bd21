"""What comes back about an earlier message is about the address that it went to."""

from pipeline.callbacks.signed_tokens import Purpose, Target
from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName, DeliveryStatus
from pipeline.store.deliveries import IntentRequest
from tests.pipeline.callbacks.notifications import notification
from tests.pipeline.intake.builders import both_channels
from tests.pipeline.operations.resends import OTHER, a_minute_passes, resend
from tests.worker.web.site import Site
from worker.web.bounces import BounceIntake
from worker.web.feedback import Feedback

EMAIL = ChannelName.EMAIL
FIRST = "p0@example.com"


async def corrected(site: Site) -> str:
    """Return the serial of a campaign whose r0 is on the way to a corrected address."""
    serial = await site.installation.submitted(2, both_channels())
    await site.installation.finished(serial)
    await a_minute_passes(site.installation, serial)
    await resend(site.installation, serial, "r0", EMAIL, OTHER, elsewhere=True)
    return serial


async def bounced(site: Site, serial: str, resend_number: int) -> None:
    target = Target(serial=serial, batch=1, channel=EMAIL, resend_number=resend_number)
    token = site.app.tokens.make(Purpose.BOUNCE, target)
    bounces = BounceIntake(site.app.tokens, Feedback(site.app))
    await bounces.record_notification(notification(f"<bounces+{token}@example.org>"))


async def test_a_late_bounce_suppresses_the_old_address_only(site: Site) -> None:
    serial = await corrected(site)
    await bounced(site, serial, 1)
    assert await site.reason(EMAIL, FIRST) == "bounce_5.1.1"
    assert await site.reason(EMAIL, OTHER) is None
    [mail] = await site.records(serial)
    assert (mail.status, mail.resend_number) == (DeliveryStatus.PENDING, 2)


async def test_a_bounce_of_the_new_message_suppresses_the_new_address(site: Site) -> None:
    serial = await corrected(site)
    [claim] = await site.installation.claims(Lane.SEND)
    wanted = IntentRequest(0, EMAIL, 0, resend_number=2)
    assert await site.installation.deliveries.intend(claim, [wanted]) == [1]
    await bounced(site, serial, 2)
    [mail, sms] = await site.records(serial)
    assert (mail.status, mail.resend_number) == (DeliveryStatus.BOUNCED, 2)
    assert sms.status is DeliveryStatus.PENDING
    assert await site.reason(EMAIL, OTHER) == "bounce_5.1.1"
    assert await site.reason(EMAIL, FIRST) is None


async def test_unsubscribing_by_the_old_message_is_for_the_old_address(site: Site) -> None:
    serial = await corrected(site)
    target = Target(serial=serial, batch=1, channel=EMAIL, resend_number=1)
    path = "/unsubscribe/" + site.app.tokens.make(Purpose.UNSUBSCRIBE, target)
    await site.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert await site.reason(EMAIL, FIRST) == "unsubscribed"
    assert await site.reason(EMAIL, OTHER) is None
