"""The command `reorder`: the way out for a batch whose order is dead."""

import click

from pipeline.domain.batch import Batch
from pipeline.domain.campaign import Campaign
from pipeline.domain.codes import in_words
from pipeline.domain.errors import InputError
from pipeline.operations.replace_order import OrderReplacement, ReplacementPlan
from pipeline.stages.order_request import po_number
from pipeline.store.audit_trail import AuditAction
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.entry import OK, command, say
from worker.cli.console.session import open_session
from worker.cli.progress.campaign_view import advice, read_view
from worker.wiring.ledger import App


@click.command()
@click.argument("campaign")
@click.argument("batch", type=click.IntRange(min=1))
@click.option("--yes", is_flag=True, help="The provider says that the order is dead.")
@actor_option
@command
async def reorder(campaign: str, batch: int, *, yes: bool) -> int:
    """
    Replace the dead order of BATCH (a number) of CAMPAIGN: end it, order for its people again.

    Links that the order gave stay with their people; everybody else moves to a new batch with a
    PO number of its own. Only the rewards provider knows whether an order is dead: ask first.
    Without --yes it says what would be done. May be repeated: a batch is ended once.
    """
    async with open_session() as app:
        snapshot = await find_campaign(app, campaign)
        order_replacement = _order_replacement(app)
        found = await order_replacement.plan(snapshot, batch)
        if isinstance(found, Batch):
            say(f"Batch {batch} was reordered before, as batch {found.replacement.into}.")
            return OK
        definition = await app.campaigns.definition(snapshot.serial)
        if not yes:
            held = f"Batch {batch} is held: {in_words(found.batch.hold.reason or '')}."
            msg = f"{held} {_consequences(found, definition)} {_condition(found)}"
            raise InputError(msg)
        await _record(app, found)
        new = await order_replacement.execute(found)
        say(f"Batch {batch} was reordered as batch {new}. {_consequences(found, definition)}")
        for line in advice(await read_view(app, snapshot.serial)):
            say(line)
    return OK


def _order_replacement(app: App) -> OrderReplacement:
    rewards = app.settings.rewards
    return OrderReplacement(
        app.pages,
        app.lookups,
        app.order_replacement,
        app.vault,
        rewards.links_path if rewards else None,
    )


async def _record(app: App, plan: ReplacementPlan) -> None:
    await app.audit.add(
        AuditAction.REORDER,
        actor=actor(),
        campaign=plan.snapshot.campaign_id,
        batch=plan.number,
        new_batch=plan.new,
        reason=plan.batch.hold.reason or "",
        po_number=plan.batch.order.po_number or "",
        order_id=plan.batch.order.id or "",
        kept=len(plan.kept),
        moved=len(plan.moved),
    )


def _consequences(plan: ReplacementPlan, definition: Campaign) -> str:
    """Return, in sentences, what happens to the people of a batch, and what it costs."""
    reward, moved = definition.reward, len(plan.moved)
    kept = (
        f"{times(len(plan.kept), 'link')} came of it and {_stays(len(plan.kept))} with the first "
        "people of the batch. "
        if plan.kept
        else "No link of it was released to anybody. "
    )
    currency = f" {reward.currency}" if reward.currency else ""
    return (
        f"{kept}{times(moved, 'person', 'people')} {_moves(moved)} to batch {plan.new}, which is "
        f"ordered anew under PO number {po_number(definition.id, plan.new)}, for "
        f"{moved * reward.value}{currency}."
    )


def _condition(plan: ReplacementPlan) -> str:
    batch = plan.batch
    number = f"order {batch.order.id}" if batch.order.id else "an order, if there is one,"
    po_number = batch.order.po_number or "not given yet"
    return (
        f"What the old order cost may be spent: only the provider knows whether {number} under "
        f"PO number {po_number} is dead, and if it lives its links are "
        "paid twice. Once the provider says that it is dead, run this again with --yes; nothing "
        "was changed."
    )


def _stays(number: int) -> str:
    return "stays" if number == 1 else "stay"


def _moves(number: int) -> str:
    return "moves" if number == 1 else "move"
