"""
The format of the stored data: which one this program writes, and which ones it reads.

1. Everything until now, and data without a mark, which is from before there was a mark.

Raise `OURS.written`, and say above what is new, with every change of stored data that a program of
the format before would misread, spoil or drop; what it merely passes over needs no new number.
`OURS.oldest` is the oldest format that is read as it lies there; what is older is for `claimcast
migrate`. The mark is the field `format` of `cc:keys`. It must stay there for ever, a whole number:
a program has to find it before it can read anything else. Programs from before the mark do not
look for it.

The first migration that has something to do raises the mark before its first step and notes where
it came from, so that everybody but `migrate` refuses what is half done and a killed one goes on;
it refuses while the list of live processes has an entry, and it alone opens data that is too
old.
"""

from dataclasses import dataclass

from pipeline.domain.errors import InputError

UNMARKED = 1


class FormatError(InputError):
    """What is stored is of a format that this program must not touch."""


@dataclass(frozen=True, slots=True)
class StoredFormat:
    """What one program writes and reads."""

    written: int
    oldest: int

    def check(self, found: int) -> None:
        """Raise FormatError, with one sentence, unless data of the format *found* can be read."""
        if found > self.written:
            msg = (
                f"The data in Redis is of format {found}, and this claimcast knows it only up to "
                f"format {self.written}: update claimcast on this machine to the version that "
                "the others have."
            )
            raise FormatError(msg)
        if found < self.oldest:
            msg = (
                f"The data in Redis is of format {found}, which this claimcast, at format "
                f"{self.written}, no longer reads as it is: stop all workers and run "
                "`claimcast migrate`."
            )
            raise FormatError(msg)


OURS = StoredFormat(written=1, oldest=1)
