"""The command `explain`: what a code means, and what to do."""

import json
from difflib import get_close_matches

import click

from pipeline.domain.codes import REASONS, Reason, find_reason
from pipeline.domain.codes.table import listed
from pipeline.domain.errors import InputError
from worker.cli.console.entry import OK, command
from worker.cli.console.tables import columns, facts

_NEAREST = 3


@click.command()
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@command
async def explain(code: str | None, *, as_json: bool) -> int:
    """
    Explain the code of a failed delivery, a held batch or a blocked campaign.

    Codes are in reports, alerts, logs, and the answers of `status` and `recipient`. Without CODE
    all of them are listed. Needs neither settings nor Redis.
    """
    if code is None:
        _list(as_json=as_json)
        return OK
    reason = _found(code.strip().lower())
    if as_json:
        click.echo(json.dumps(_document(reason.code, reason), ensure_ascii=False))
    else:
        _show(reason)
    return OK


def _found(code: str) -> Reason:
    """Return what *code* means; raises InputError that names the nearest if there is none."""
    reason = find_reason(code)
    if reason is not None:
        return reason
    nearest = get_close_matches(code, REASONS, n=_NEAREST, cutoff=0.5)
    hint = f"the nearest are {', '.join(nearest)}" if len(nearest) > 1 else ""
    hint = hint or (f"did you mean {nearest[0]}?" if nearest else "none is like it")
    msg = f'There is no code "{code}"; {hint} (`claimcast explain` lists all).'
    raise InputError(msg)


def _show(reason: Reason) -> None:
    found = {
        "code": f"{reason.code} ({reason.kind})",
        "meaning": reason.meaning,
        "by itself": reason.by_itself,
        "what you do": reason.remedy("CAMPAIGN"),
    }
    click.echo("\n".join(facts(found.items())))


def _list(*, as_json: bool) -> None:
    if as_json:
        found = [_document(code, reason) for code, reason in listed()]
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    rows = [(code, reason.kind, reason.meaning) for code, reason in listed()]
    click.echo("\n".join(columns((), rows)))


def _document(code: str, reason: Reason) -> dict[str, str]:
    return {
        "code": code,
        "kind": reason.kind,
        "meaning": reason.meaning,
        "by_itself": reason.by_itself,
        "action": reason.remedy("CAMPAIGN"),
    }
