"""Every channel has its adapter, and the pipeline knows which of them can be asked."""

from channels.registry import ADAPTERS
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import SEARCHABLE


def test_every_channel_has_an_adapter() -> None:
    assert ADAPTERS.keys() == set(ChannelName)


def test_the_adapters_that_look_up_are_those_that_the_pipeline_asks() -> None:
    found = {name for name, adapter in ADAPTERS.items() if hasattr(adapter, "look_up")}
    assert found == SEARCHABLE
