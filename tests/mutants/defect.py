"""One defect made by hand: a small change that somebody could make without noticing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """
    In the file *path*, *old* (which stands there exactly once) becomes *new*.

    *costs* says in one clause what that would do to people and money; *test* is the id of the test
    that goes red. Both are shown in docs/internals/testing.md.
    """

    name: str
    path: str
    old: str
    new: str
    costs: str
    test: str

    @property
    def test_name(self) -> str:
        return self.test.rpartition("::")[2]
