"""Addresses among the options: `-` keeps them out of `ps`, which shows everybody's arguments."""

import sys

import click

FROM_INPUT = "`-` reads it from standard input, out of sight of `ps`."


class AddressType(click.ParamType[str]):
    """An address, or with `-` the next line of standard input."""

    def __init__(self, name: str = "ADDRESS") -> None:
        self.name = name

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if value != "-":
            return str(value)
        try:
            line = sys.stdin.readline().strip()
        except UnicodeDecodeError:
            line = ""
        if not line:
            self.fail("there is no address on standard input", param, ctx)
        return line
