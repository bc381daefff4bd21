"""Rates as people write them: `5/s`, `300/m`, `unlimited`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"^\s*(\d{1,9})\s*/\s*(s|m|h|d)\s*$")


class FleetLimit(StrEnum):
    """The limiters that the whole fleet shares; a channel's has the name of the channel."""

    ORDERS = "orders"
    NEW_ORDERS = "orders:new"
    """It has no rate, but may have a cooldown: then the pump dispatches no new order."""
    READS = "reads"


@dataclass(frozen=True, slots=True)
class Rate:
    """
    *permits* in *seconds*; no permits means no limit.

    A rate is written as it is read: `Rate.parse(str(rate)) == rate`.
    """

    permits: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rate; raises ValueError with what was expected."""
        if text.strip().lower() == "unlimited":
            return cls(0, 1)
        match = _PATTERN.match(text)
        if match is None or int(match[1]) == 0:
            msg = f'"{text}" is not a rate such as 5/s, 300/m, 1000/h or unlimited'
            raise ValueError(msg)
        return cls(int(match[1]), _SECONDS[match[2]])

    @property
    def interval_us(self) -> float:
        """Microseconds from one permit to the next; 0 without a limit."""
        return self.seconds * 1e6 / self.permits if self.permits else 0.0

    def __str__(self) -> str:
        if not self.permits:
            return "unlimited"
        unit = next(unit for unit, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.permits}/{unit}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        parse = core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=parse,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), parse], mode="left_to_right"
            ),
            serialization=core_schema.to_string_ser_schema(),
        )
