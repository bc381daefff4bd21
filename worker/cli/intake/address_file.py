"""Addresses in a file, as lists of them are exported elsewhere."""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

from pipeline.domain.errors import InputError
from pipeline.domain.models import ADDRESS_FIELD, ChannelName
from pipeline.intake import fields
from pipeline.intake.files.lines import Lines

_MOST_KEPT = 50


class AddressLine(NamedTuple):
    number: int
    address: str


def normal_address(channel: ChannelName, text: str) -> str:
    """Return an address in the form that intake gives it; raises ValueError with the reason."""
    match channel:
        case ChannelName.EMAIL:
            return fields.email(text)
        case ChannelName.SMS:
            return fields.phone(text)
        case ChannelName.WEBHOOK:
            msg = "is a recipient's id: the app decides whom it shows messages to"
            raise ValueError(msg)


class AddressFile:
    """
    The addresses of *stream*: one a line, or CSV with a column `email` or `phone`.

    Read once, by `chunks`; afterwards `fault_count` lines could not be used, the first of them
    are in `faults`, without what they held. Raises InputError for what is no text.
    """

    def __init__(self, stream: BinaryIO, channel: ChannelName) -> None:
        self.fault_count = 0
        self.faults: list[tuple[int, str]] = []
        self._lines = Lines(stream)
        self._column = ADDRESS_FIELD[channel]
        self.channel = channel

    def chunks(self, size: int) -> Iterator[list[AddressLine]]:
        """Yield the addresses as messages are sent to them, at most *size* at a time."""
        addresses = self._addresses()
        while chunk := list(islice(addresses, size)):
            yield chunk

    def _addresses(self) -> Iterator[AddressLine]:
        for number, text in self._texts():
            try:
                yield AddressLine(number, normal_address(self.channel, text))
            except ValueError as error:
                self.fault_count += 1
                if len(self.faults) < _MOST_KEPT:
                    self.faults.append((number, str(error)))

    def _texts(self) -> Iterator[tuple[int, str]]:
        first = next((line for line in self._lines if line.strip()), "")
        delimiter = max(",;\t", key=first.count)
        header = [name.strip(' "\r\n').lower() for name in first.split(delimiter)]
        if self._column in header:
            yield from self._column_of(header.index(self._column), delimiter)
            return
        if first.count(delimiter):
            msg = f"The first line of a CSV file must name the columns, {self._column} among them."
            raise InputError(msg)
        for line in chain([first], self._lines):
            self._lines.begin_row()
            if text := line.strip():
                yield self._lines.number, text

    def _column_of(self, index: int, delimiter: str) -> Iterator[tuple[int, str]]:
        rows = csv.reader(self._lines, delimiter=delimiter)
        while True:
            self._lines.begin_row()
            number = self._lines.number + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error:
                row = []
            if any(value.strip() for value in row):
                yield number, row[index].strip() if index < len(row) else ""
