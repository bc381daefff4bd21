"""The intake for callers that have JSON: it checks, previews, submits and reports the same."""

import io
from typing import Any

import pytest

from pipeline.domain.errors import (
    BlockedError,
    CredentialsError,
    InputError,
    RewardsUnavailableError,
    TransientError,
    UnavailableError,
)
from pipeline.domain.models import ChannelName
from pipeline.intake import service
from pipeline.intake.definition import CampaignDefinition
from pipeline.intake.files.problems import Problem
from pipeline.intake.preflight.findings import InvalidInputError
from pipeline.intake.recipient_sources import RecipientsFile, RecipientsList
from pipeline.intake.recipients import Summary
from pipeline.intake.request import IntakeRequest
from pipeline.intake.submission import DeclinedError, IntakeLedger
from tests.pipeline.channel import ScriptedChannel
from tests.pipeline.intake.builders import campaign_data
from tests.pipeline.intake.outside import Outside, UnreachableChannel
from tests.pipeline.ledger import Ledger

ANN = {"id": "1", "email": "ann@example.com", "name": "Ann"}
BEN = {"id": "2", "email": "ben@example.com", "name": "Ben"}
BAD = {"id": "3", "email": "nobody", "name": "C"}
DOWN = RewardsUnavailableError("api_503")


def a_request(*rows: object, skip_invalid: bool = False, **sections: Any) -> IntakeRequest:  # noqa: ANN401 - whatever a file may hold
    return IntakeRequest(
        definition=CampaignDefinition.from_json(campaign_data(**sections)),
        recipients=RecipientsList(rows or (ANN, BEN)),
        skip_invalid=skip_invalid,
    )


def target(ledger: Ledger) -> IntakeLedger:
    return IntakeLedger(
        staging=ledger.staging, campaigns=ledger.campaigns, audit=ledger.audit, batch_size=2
    )


async def stored(ledger: Ledger) -> dict[bytes, Any]:
    """Return everything that is stored, by its key."""
    return {key: await ledger.redis.dump(key) async for key in ledger.redis.scan_iter()}


async def test_a_dry_run_returns_people_cost_and_messages(ledger: Ledger) -> None:
    request = a_request(email={"subject": "For {{ name }}", "text": "{{ link }}"})

    found = await service.validate(request, Outside().ports(), preview=1)

    document = found.as_json()
    assert (found.usable, document["problems"], document["warnings"]) == (True, [], [])
    assert (document["accepted"], document["cost"]["total"]) == (2, "20.00")
    assert [shown["subject"] for shown in document["previews"]] == ["For Ann"]


async def test_a_dry_run_stores_nothing_and_a_submit_does(ledger: Ledger) -> None:
    await service.submit(a_request(id="before"), target(ledger), actor="ann")
    before = await stored(ledger)

    await service.validate(a_request(), Outside().ports(), preview=2)
    await service.validate(a_request(BAD, typo=1), Outside().ports())
    with pytest.raises(InvalidInputError):
        await service.check_definition(a_request(typo=1), Outside().ports())
    await service.preflight(a_request(), Outside().ports(), target(ledger), sends=True)

    assert before
    assert await stored(ledger) == before
    await service.submit(a_request(), target(ledger), actor="ann")
    assert await stored(ledger) != before


async def test_problems_of_keys_product_and_rows_are_reported_at_once() -> None:
    outside = Outside(answers=["is not offered"])

    found = await service.validate(a_request(ANN, BAD), outside.ports())
    worse = await service.validate(a_request(ANN, BAD, typo=1), outside.ports())

    assert [(p.where, p.field) for p in found.problems] == [
        ("campaign", "reward"),
        ("recipients", "email"),
    ]
    assert [(p.where, p.field) for p in worse.problems] == [
        ("campaign", "typo"),
        ("recipients", "email"),
    ]


async def test_a_check_that_is_not_possible_is_a_warning() -> None:
    outside = Outside(channels={}, answers=[CredentialsError("api_401")])

    found = await service.validate(a_request(), outside.ports())
    without = await service.validate(a_request(), Outside(answers=[]).ports())

    assert found.usable
    assert "uses email, which is not set up here" in found.warnings[0]
    assert "The rewards API refuses the credentials (api_401)" in found.warnings[1]
    assert without.warnings == (
        "The product was not checked, as the rewards API is not configured.",
    )


async def test_templates_are_compiled_as_the_channels_do() -> None:
    email = {"subject": "s", "text": "{{ link }}", "reply_to": "nobody"}
    request = a_request(email=email)

    found = await service.validate(request, Outside().ports())
    with pytest.raises(InvalidInputError) as error:
        await service.check_definition(request, Outside().ports())

    assert "email.reply_to must be an e-mail address" in str(found.problems[0])
    assert error.value.findings.problems == found.problems


@pytest.mark.parametrize("sends", [False, True])
async def test_a_product_that_is_not_offered_is_refused_with_the_rows(
    ledger: Ledger, *, sends: bool
) -> None:
    ports = Outside(answers=["is not offered"]).ports()

    with pytest.raises(InvalidInputError) as error:
        await service.preflight(a_request(ANN, BAD), ports, target(ledger), sends=sends)

    assert [p.field for p in error.value.findings.problems] == ["reward", "email"]


async def test_one_unlucky_answer_of_the_api_is_asked_again(ledger: Ledger) -> None:
    outside = Outside(answers=[DOWN, None])

    assert await service.preflight(a_request(), outside.ports(), target(ledger), sends=True) == ()
    assert outside.asked == 2


async def test_an_api_that_is_down_refuses_the_campaign(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.intake.preflight.outside._PAUSES", (0, 0, 0))
    outside = Outside(answers=[DOWN])

    with pytest.raises(UnavailableError, match="cannot be reached"):
        await service.preflight(a_request(), outside.ports(), target(ledger), sends=False)

    assert outside.asked == 4


async def test_a_sender_needs_everything_configured_and_others_nothing(ledger: Ledger) -> None:
    ports = Outside(channels={}, answers=[]).ports()

    with pytest.raises(InputError, match=r"rewards API is not configured.*uses email"):
        await service.preflight(a_request(), ports, target(ledger), sends=True)

    [warning] = await service.preflight(a_request(), ports, target(ledger), sends=False)
    assert "was not checked" in warning


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (BlockedError("smtp_535", fatal=True), InputError),
        (BlockedError("smtp_421"), UnavailableError),
        (TransientError("smtp_451"), UnavailableError),
    ],
)
async def test_a_provider_that_refuses_is_reported_before_money_is_spent(
    ledger: Ledger, refusal: BlockedError, kind: type[Exception]
) -> None:
    outside = Outside(channels={ChannelName.EMAIL: UnreachableChannel(refusal=refusal)})

    with pytest.raises(kind, match="The provider of email"):
        await service.preflight(a_request(), outside.ports(), target(ledger), sends=True)
    await service.preflight(a_request(), outside.ports(), target(ledger), sends=False)


async def test_a_campaign_that_was_submitted_before_is_not_checked_again(ledger: Ledger) -> None:
    await service.submit(a_request(), target(ledger), actor="ann")
    outside = Outside(channels={}, answers=["is not offered"])

    await service.preflight(a_request(), outside.ports(), target(ledger), sends=True)

    assert outside.asked == 0


async def test_a_submit_is_repeated_without_a_change(ledger: Ledger) -> None:
    first = await service.submit(a_request(), target(ledger), actor="ann")
    again = await service.submit(a_request(), target(ledger), actor="ann")

    assert (first.created, again.created) == (True, False)
    assert first.serial == again.serial
    assert (await ledger.campaigns.snapshot(first.serial)).recipients == 2


@pytest.mark.parametrize("sections", [{}, {"typo": 1}], ids=["rows", "keys and rows"])
async def test_a_submit_raises_what_a_dry_run_reports(
    ledger: Ledger, sections: dict[str, Any]
) -> None:
    request = a_request(ANN, BAD, **sections)

    with pytest.raises(InvalidInputError) as error:
        await service.submit(request, target(ledger), actor="ann")

    told = await service.validate(request, Outside().ports())
    assert error.value.findings.problems == told.problems
    assert error.value.findings.problem_count == told.problem_count > 0
    assert not error.value.findings.usable
    assert await ledger.campaigns.find("survey-2026-11") is None


async def test_rows_with_problems_are_left_out_where_that_is_wanted(ledger: Ledger) -> None:
    bad = BEN | {"email": "nobody"}  # it does not take the id away from the sound row
    request, output = a_request(ANN, bad, BEN, skip_invalid=True), io.StringIO()

    found = await service.validate(request, Outside().ports())
    done = await service.submit(request, target(ledger), actor="ann", rejected=output)
    again = await service.submit(request, target(ledger), actor="ann")

    assert found.usable
    assert found.summary == done.summary == again.summary
    assert done.summary.accepted == 2
    assert not again.created
    assert output.getvalue().splitlines()[1].startswith("2,email: is not an e-mail address")


async def test_an_operator_may_decline_and_nothing_is_left(ledger: Ledger) -> None:
    asked: list[Summary] = []

    async def declined(summary: Summary) -> bool:
        asked.append(summary)
        return False

    with pytest.raises(DeclinedError):
        await service.submit(a_request(), target(ledger), actor="ann", confirm=declined)

    assert [summary.accepted for summary in asked] == [2]
    assert await ledger.campaigns.find("survey-2026-11") is None


async def test_progress_ends_with_the_whole_file_read(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.intake.service._TICK", 0)
    text = b"id,email\n" + b"".join(b"%d,p%d@example.com\n" % (n, n) for n in range(50))
    source = RecipientsFile(name="people.csv", stream=io.BytesIO(text), size=len(text))
    definition = CampaignDefinition.from_json(campaign_data())
    shares: list[float] = []

    await service.submit(
        IntakeRequest(definition=definition, recipients=source),
        target(ledger),
        actor="ann",
        progress=lambda _, share: shares.append(share),
    )

    assert shares
    assert sorted(shares) == shares
    assert shares[0] >= 0
    assert shares[-1] == 1


async def test_a_file_that_cannot_be_opened_is_a_problem_of_its_own(ledger: Ledger) -> None:
    problem = Problem(where="people.csv", message="does not exist; check the path")
    source = RecipientsFile(name="people.csv", problem=problem)
    request = IntakeRequest(
        definition=CampaignDefinition.from_json(campaign_data()), recipients=source
    )

    found = await service.validate(request, Outside().ports())
    with pytest.raises(InvalidInputError) as error:
        await service.submit(request, target(ledger), actor="ann")

    assert found.problems == error.value.findings.problems == (problem,)
    assert request.definition.campaign is not None
    with pytest.raises(InputError, match="does not exist"):
        source.rows(request.definition.campaign, keep=None)


@pytest.mark.parametrize("data", [None, [], "text", {}, {"delivery": {"channels": []}}])
async def test_a_definition_that_is_no_object_is_reported(data: object) -> None:
    request = IntakeRequest(
        definition=CampaignDefinition.from_json(data), recipients=RecipientsList([ANN])
    )

    found = await service.validate(request, Outside().ports())

    assert found.campaign is None
    assert found.problems
    assert not found.usable


async def test_sms_are_counted_and_priced() -> None:
    request = a_request(
        {"id": "1", "phone": "+14155552671"},
        {"id": "2", "email": "ann@example.com"},
        delivery={"channels": ["sms", "email"]},
        sms={"body": "Ж {{ link }}"},
    )
    channels = dict.fromkeys((ChannelName.SMS, ChannelName.EMAIL), ScriptedChannel())

    found = await service.validate(request, Outside(channels=channels).ports())

    assert found.as_json()["sms"] == {"messages": 1, "segments": 1, "not_gsm7": 1, "cost": "0.01"}
