"""Whatever stops a campaign, `status` names the command that moves it on, and it does."""

from collections.abc import Iterator

import pytest
import trustme

from pipeline.domain.codes import REASONS
from sandbox.faults import Faults, MailFaults
from tests.end_to_end.support.bench import Bench, bench
from tests.end_to_end.support.ways import (
    BLOCKED,
    GUARDED,
    HELD,
    LATE,
    NOT_CAUSED,
    READS,
    Way,
    sms_by_phone,
)

USER, PASSWORD = "claimcast", "a long secret"


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench where orders of more than 25 are finished by hand only, and one campaign is done."""
    options = ["--async-above", "25", "--async-delay", "100000", "--funds", "100000"]
    with bench(
        tmp_path_factory.mktemp("usual"), *options, CLAIMCAST_REWARDS__OVERDUE="1s"
    ) as found:
        addresses = found.world.addresses
        found.world.env |= {
            "CLAIMCAST_TWILIO__ACCOUNT_SID": addresses["account_sid"],
            "CLAIMCAST_TWILIO__AUTH_TOKEN": addresses["auth_token"],
            "CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006",
            "CLAIMCAST_TWILIO__BASE_URL": addresses["base_url"],
        }
        # The first order of the account is the one whose links come again in others.
        found.with_worker()
        found.submit("first", 2)
        found.wait_until_finished("first")
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench whose mail server has a certificate and wants a login."""
    directory = tmp_path_factory.mktemp("guarded")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    pem = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(directory / "mail.pem")
    options = ["--smtp-security", "starttls", "--smtp-certificate", str(directory / "mail.pem")]
    options += ["--smtp-user", USER, "--smtp-password", PASSWORD]
    with bench(
        directory,
        *options,
        SSL_CERT_FILE=str(directory / "ca.pem"),
        CLAIMCAST_SMTP__SECURITY="starttls",
        CLAIMCAST_SMTP__USERNAME=USER,
        CLAIMCAST_SMTP__PASSWORD=PASSWORD,
    ) as found:
        yield found


@pytest.mark.parametrize("way", HELD + BLOCKED, ids=str)
def test_the_command_that_status_names_moves_it_on(
    usual: Bench, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_and_go_on(usual, way, monkeypatch)


@pytest.mark.parametrize("way", GUARDED, ids=str)
def test_so_it_does_with_a_mail_server_that_wants_more(
    guarded: Bench, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_and_go_on(guarded, way, monkeypatch)


def test_a_dead_order_that_comes_to_life_later_changes_nothing(
    usual: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_and_go_on(usual, LATE, monkeypatch)
    for _ in range(READS):
        assert "every invariant holds" in usual.run("verify", "links-late", "--remote")
    accounted(usual, LATE, "links-late")


def stop_and_go_on(bench: Bench, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cause it, look at it, mend it, type what `status` named, and account for everybody."""
    monkeypatch.chdir(bench.world.directory)
    campaign = way.name.replace("_", "-").replace(".", "-")
    stopped(bench, way, campaign)
    command = bench.named_command(campaign, way.command.format(id=campaign))
    mended(bench, way, campaign)
    bench.run(*command)
    done = bench.wait_until_finished(campaign)
    assert done["people"] == {"reached": way.people, "not_reached": 0, "open": 0}
    assert "every invariant holds" in bench.run("verify", campaign, "--remote")
    accounted(bench, way, campaign)


def stopped(bench: Bench, way: Way, campaign: str) -> None:
    bench.with_worker(**way.settings)
    way.before(bench, campaign)
    bench.world.switch("faults", **way.faults)
    bench.world.switch("smtp-faults", **way.mail_faults)
    bench.submit(campaign, way.people, channel=way.channel, uncertain=way.uncertain)
    if way.doubted:
        bench.ten_minutes_pass(campaign)
    status = bench.wait_until_blocked(campaign)
    assert (status["state"], status["reason"]) == ("blocked", way.code)
    assert status["people"]["open"] == way.people
    assert way.code in bench.run("status", campaign)
    assert way.code in bench.run("explain", way.code)


def mended(bench: Bench, way: Way, campaign: str) -> None:
    bench.world.switch("smtp-faults", **MailFaults().model_dump())
    if not way.mended:
        bench.world.switch("faults", **Faults().model_dump())
    way.mend(bench, campaign)
    bench.with_worker(**way.mended)


def accounted(bench: Bench, way: Way, campaign: str) -> None:
    """Compare with the sandbox's account: nobody without, with two, or with another's link."""
    bench.world.switch("faults", **Faults().model_dump())
    orders = bench.orders(campaign)
    assert len(orders) == (1 if way.kept is None else 2), "an order too many, or too few"
    ordered = [set(order["links"]) for order in orders]
    if way.channel == "sms":
        given = {text.rpartition(" ")[2] for text in sms_by_phone(bench).values()}
        assert given == ordered[0]
        return
    links = bench.links_by_address(campaign)
    assert len(links) == way.people
    assert all(len(each) == 1 for each in links.values()), "a person with two links"
    given = set.union(*links.values())
    assert len(given) == way.people, "a link of two people"
    if way.kept is None:
        assert given == ordered[0]
    else:
        assert len(given & ordered[0]) == way.kept, "a link of a dead order"
        assert given - ordered[0] == ordered[1]


def test_every_reason_to_stop_has_a_way_out_here_or_a_reason_why_not() -> None:
    caused = {way.code for way in HELD + BLOCKED + GUARDED}
    stops = {code for code, reason in REASONS.items() if reason.kind in {"hold", "block"}}
    assert stops - caused == set(NOT_CAUSED) & stops
