"""The ratio that a full run has recorded, and whether a new one is still near enough."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median

FILE = Path(__file__).with_name("recorded.json")
KEY = "small_to_ceiling"
"""The figure whose ratio is recorded."""

_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class BenchVerdict:
    """Whether it is still fast, and the sentence that says so."""

    holds: bool
    text: str


def recorded(file: Path = FILE) -> float | None:
    """Return the ratio of the last full run that was published; None if there was none."""
    if not file.exists():
        return None
    return float(json.loads(file.read_text("utf-8"))["ratio"])


def record(ratio: float, date: str, file: Path = FILE) -> None:
    """Replace what is recorded."""
    content = {"ratio": round(ratio, 3), "date": date}
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def judge(measured: tuple[float, ...], before: float | None) -> BenchVerdict:
    """Compare the median of *measured* with half of what was recorded; without that all holds."""
    ratio = median(measured)
    if before is None:
        return BenchVerdict(
            holds=True,
            text=f"{ratio:.2f} of the ceiling; no full run has been published to compare it with.",
        )
    least = _SHARE * before
    words = f"{ratio:.2f} of the ceiling; {before:.2f} is recorded, at least {least:.2f} is wanted"
    return BenchVerdict(holds=ratio >= least, text=f"{words}.")
