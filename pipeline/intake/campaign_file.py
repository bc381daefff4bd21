"""Reads a campaign from a campaign file, or from the same keys in a job, and checks it."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName
from pipeline.intake.error_messages import dotted, explain_errors
from pipeline.intake.files.lines import UnreadableError
from pipeline.intake.files.problems import Problem
from pipeline.intake.files.text_files import UnopenedError, file_beside, read_text
from pipeline.intake.files.toml_lines import key_lines, line_of
from pipeline.intake.template_checks import template_faults

DefinitionFinding = tuple[tuple[str, ...], str]
"""The path of a key, and what is wrong with its value."""

_STAND_IN: dict[str, Any] = {
    "id": "stand-in",
    "name": "stand-in",
    "reward": {"product_id": "any", "value": "1"},
    "email": {"subject": "any", "text": "{{ link }}"},
    "sms": {"body": "{{ link }}"},
    "webhook": {"body": "any"},
}
_NO_TEXT = "name a campaign file, which is text in TOML"
_UNCLOSED = {
    "Illegal character '\\n'": "a text in quotation marks is not closed on its line",
    "Found invalid character '\\n'": "a text in quotation marks is not closed on its line",
    "Unterminated string": "the file ends inside a text in quotation marks",
    'Expected "\'"': "the file ends inside a text in quotation marks",
    "Expected \"'''\"": "the file ends inside a text in quotation marks",
}
"""What tomllib reports for a quotation mark that is not closed."""

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)$")
_FROM_FILES = (("text_file", "text"), ("html_file", "html"))


def load_campaign(path: Path) -> tuple[Campaign | None, list[Problem]]:
    """
    Read a campaign file and the templates beside it.

    Returns the campaign and no problems, or None and everything that is wrong. Never raises.
    """
    try:
        text = read_text(path, _NO_TEXT)
    except UnopenedError as error:
        # The path as it was given: a name would hide a wrong folder, and "." has no name.
        return None, [Problem(where=str(path), message=str(error))]
    except UnreadableError as error:
        return None, [Problem(where=path.name, line=error.line, message=str(error))]
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return None, [_broken(path.name, text, error)]
    findings = _take_files(data, lambda name: read_text(file_beside(path, name)))
    campaign, more = _check(data)
    lines = key_lines(text)
    problems = [
        Problem(where=path.name, line=line_of(lines, key), field=dotted(key), message=message)
        for key, message in findings + more
    ]
    return (None if problems else campaign), sorted(problems, key=lambda p: p.line or 0)


def campaign_from_dict(data: object) -> tuple[Campaign | None, list[Problem]]:
    """
    Check the keys of a campaign file that came in a job, without its recipients.

    Returns as `load_campaign` does. Templates must be in the data: a job must not read files of
    this machine.
    """
    if not isinstance(data, dict):
        return None, [
            Problem(where="campaign", message="must be an object with the keys of a campaign file")
        ]
    copied = {
        key: dict(value) if isinstance(value, dict) else value for key, value in data.items()
    }
    findings = _take_files(copied, _refuse_file)
    campaign, more = _check(copied)
    problems = [
        Problem(where="campaign", field=dotted(key), message=message)
        for key, message in findings + more
    ]
    return (None if problems else campaign), problems


def stand_in(data: Mapping[str, Any]) -> Campaign | None:
    """
    Return a campaign made of the sound keys in *data*, so that the rows can be checked too.

    None if the keys do not even name the channels.
    """
    found, sound = None, _STAND_IN
    for section in ("delivery", "reward", "email", "sms", "webhook"):
        tried = {**sound, section: data.get(section)}
        campaign, _ = campaign_from_dict(tried)
        if campaign is not None:
            found, sound = campaign, tried
        elif section == "delivery":
            return None
    return found


def _check(data: dict[str, Any]) -> tuple[Campaign | None, list[DefinitionFinding]]:
    findings: list[DefinitionFinding] = list(template_faults(data))
    try:
        return Campaign.model_validate(data), findings
    except ValidationError as error:
        findings.extend(explain_errors(error))
        if not any(key == () for key, _ in findings):
            findings.extend(_missing_sections(data))
        return None, findings


def _missing_sections(data: dict[str, Any]) -> Iterator[DefinitionFinding]:
    # The model reports this too, but only when everything else is right.
    delivery = data.get("delivery")
    channels = delivery.get("channels") if isinstance(delivery, dict) else None
    for channel in ChannelName:
        if isinstance(channels, list) and channel in channels and channel not in data:
            message = f"names {channel}, but there is no section [{channel}]; add one"
            yield ("delivery", "channels"), message


def _take_files(data: dict[str, Any], read: Callable[[str], str]) -> list[DefinitionFinding]:
    """Replace text_file and html_file in *data* by what *read* returns for them."""
    email = data.get("email")
    if not isinstance(email, dict):
        return []
    findings: list[DefinitionFinding] = []
    for file_key, key in _FROM_FILES:
        if file_key in email:
            try:
                email[key] = _content(email.pop(file_key), email.get(key), read)
            except UnreadableError as error:
                place = "" if error.line is None else f" (on its line {error.line})"
                findings.append((("email", file_key), f"{error}{place}"))
                email.setdefault(key, "{{ link }}")  # its absence is not worth a second problem
    return findings


def _content(name: object, given: object, read: Callable[[str], str]) -> str:
    if given is not None:
        msg = "stands beside the same text in the file itself; remove one of the two"
        raise UnreadableError(msg)
    if not isinstance(name, str):
        msg = "must be the name of a file in quotation marks"
        raise UnreadableError(msg)
    return read(name)


def _refuse_file(_name: str) -> str:
    msg = "works only in a campaign file; send the text itself"
    raise UnreadableError(msg)


def _broken(name: str, text: str, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(where=name, message="is nested too deeply; write it flatter")
    if not isinstance(error, tomllib.TOMLDecodeError):
        return Problem(where=name, message="holds a number that is too long; shorten it")
    reason = str(error)
    place = _PLACE.search(reason)
    if place is None:
        *whole, last = text.split("\n")
        line, column = len(whole) + 1, len(last) + 1
    else:
        line, column = int(place[1]), int(place[2])
    reason = reason.partition(" (at ")[0]
    words = f"{reason[:1].lower()}{reason[1:]}"
    if reason in _UNCLOSED:
        words = f"{_UNCLOSED[reason]}; close it with the quotation mark that it begins with"
    message = f"is not valid TOML: {words}"
    return Problem(where=name, line=line, column=column, message=message)
