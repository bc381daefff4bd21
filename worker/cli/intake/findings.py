"""What was found out about a campaign and its recipients, as text for people."""

from collections.abc import Iterator
from itertools import chain

from pipeline.domain.campaign import Reward
from pipeline.intake.files.problems import PROBLEMS_SHOWN
from pipeline.intake.preflight.findings import IntakeFindings, total_value
from pipeline.intake.preflight.previews import EXAMPLE_LINK, MessagePreview
from pipeline.intake.preflight.sms_estimate import SmsEstimate
from pipeline.intake.recipients import Summary
from worker.cli.console.campaigns import times


def total(findings: IntakeFindings) -> str:
    """Return how many problems there are, in words."""
    return times(findings.problem_count, "problem")


def problem_lines(findings: IntakeFindings) -> Iterator[str]:
    """Yield the first problems and how many more there are."""
    yield from (str(problem) for problem in findings.problems[:PROBLEMS_SHOWN])
    more = findings.problem_count - PROBLEMS_SHOWN
    if more > 0:
        yield f"... and {times(more, 'more problem')}; --json shows all."


def lines(findings: IntakeFindings) -> Iterator[str]:
    """Yield the whole of it."""
    yield from chain(problem_lines(findings), (f"Warning: {each}" for each in findings.warnings))
    if findings.problem_count:
        yield f"{total(findings)}."
    yield from _totals(findings)
    for preview in findings.previews:
        yield from ("", *_preview_lines(preview))
    if findings.usable:
        yield ""
        yield "This can be submitted. Nothing was ordered or sent."
    else:
        yield "Nothing was changed; correct this and try again."


def people(summary: Summary) -> str:
    """Return how many people are taken in, and how many rows are not."""
    others = []
    if summary.rejected:
        others.append(f"{times(summary.rejected, 'row')} with problems")
    if summary.skipped:
        others.append(f"{times(summary.skipped, 'row')} skipped as duplicates")
    return f"{summary.accepted:,}" + (f" ({', '.join(others)})" if others else "")


def cost(reward: Reward, accepted: int) -> str:
    """Return what *accepted* people cost, in words."""
    unit = f" {reward.currency}" if reward.currency else ""
    total_cost = total_value(reward, accepted)
    return f"{accepted:,} x {reward.value:,.2f}{unit} = {total_cost:,.2f}{unit}"


def sms_totals(estimate: SmsEstimate) -> str:
    """Return what the SMS come to, in words."""
    text = f"{estimate.messages:,} SMS of {estimate.segments:,} segments in all"
    if estimate.unicode:
        text += f", {estimate.unicode:,} not in GSM-7 and therefore longer"
    if estimate.cost is not None:
        text += f"; about {estimate.cost:,.2f} at {estimate.price} per segment"
    return f"{text} (with a link of {len(EXAMPLE_LINK)} characters)"


def _totals(findings: IntakeFindings) -> Iterator[str]:
    summary, campaign = findings.summary, findings.campaign
    if summary is None or campaign is None:
        return
    yield f"{campaign.name} ({campaign.id})"
    yield f"  people       {people(summary)}"
    yield f"  cost         {cost(campaign.reward, summary.accepted)}"
    for channel, reachable in summary.reachable.items():
        yield f"  {channel:12} reaches {reachable:,} of {summary.accepted:,}"
    if findings.texting is not None and findings.texting.messages:
        yield f"  texting      {sms_totals(findings.texting)}"


def _preview_lines(preview: MessagePreview) -> Iterator[str]:
    yield f"--- {preview.channel} to {preview.recipient}"
    if preview.failure:
        yield f"cannot be rendered: {preview.failure}"
        return
    heads = {"From": preview.sender, "To": preview.to, "Subject": preview.subject}
    yield from (f"{name}: {value}" for name, value in heads.items() if value)
    yield ""
    yield preview.text.rstrip("\n")
    if preview.html is not None:
        yield f"[and {len(preview.html):,} characters of HTML; --json shows them]"
