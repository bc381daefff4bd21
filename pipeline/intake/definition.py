"""A campaign's definition as it was given: in a file, or as JSON."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pipeline.domain.campaign import Campaign
from pipeline.intake.campaign_file import campaign_from_dict, load_campaign, stand_in
from pipeline.intake.files.lines import UnreadableError
from pipeline.intake.files.problems import Problem
from pipeline.intake.files.text_files import read_text
from pipeline.intake.files.toml_lines import key_lines, line_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignDefinition:
    """
    A campaign as it was given: the campaign, or else (None) the problems with it.

    `name` stands for it in problems, `path` is the file, `keys` are those that came as JSON.
    """

    name: str
    campaign: Campaign | None
    problems: tuple[Problem, ...]
    path: Path | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a campaign file and the templates beside it; never raises."""
        campaign, problems = load_campaign(path)
        return cls(name=path.name, campaign=campaign, problems=tuple(problems), path=path)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Check the keys of a campaign file that came as JSON, without people; never raises."""
        campaign, problems = campaign_from_dict(data)
        keys = data if isinstance(data, Mapping) else {}
        return cls(name="campaign", campaign=campaign, problems=tuple(problems), keys=keys)

    def problem(self, key: str, message: str) -> Problem:
        """Return a problem at the section or dotted *key* of the definition."""
        line = None
        if self.path is not None:
            line = line_of(key_lines(read_text(self.path)), tuple(key.split(".")))
        return Problem(where=self.name, line=line, field=key, message=message)

    def stand_in(self) -> Campaign | None:
        """
        Return a campaign made of the sound keys, so that the rows can be checked too.

        None if the keys cannot be read, or as `pipeline.intake.campaign_file.stand_in` says.
        """
        if self.path is None:
            return stand_in(self.keys)
        try:
            data = tomllib.loads(read_text(self.path))
        except (UnreadableError, ValueError, RecursionError):
            return None
        return stand_in(data)
