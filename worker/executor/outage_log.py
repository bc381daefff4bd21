"""Trouble with Redis, logged once per cause and not once per try."""

from pipeline.store.outages import StoreError, refusal

_WORDS = {
    "memory": "Redis has no memory left and refuses to write: raise its maxmemory",
    "disk": "Redis cannot write its append-only file and refuses to write: see its log and disk",
}


class Outage:
    """What keeps one task from its work."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def describe_new(self, error: StoreError) -> dict[str, str]:
        """Return what to log of *error*; nothing if that was returned since it last was right."""
        name = type(error).__name__
        if name in self._logged:
            return {}
        self._logged.add(name)
        return {"error": name, **_words(error)}

    def note_recovery(self) -> None:
        """Take note that it works again."""
        self._logged.clear()


def _words(error: StoreError) -> dict[str, str]:
    """Return what people can do about a server that is there, and refuses to write."""
    cause = refusal(error)
    return {} if cause is None else {"why": _WORDS[cause]}
