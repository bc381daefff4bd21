"""A token for one process: fetched once, again after a refusal, refusals in a row counted."""

from pipeline.rewards.memory_token import MemoryToken
from pipeline.rewards.models import Token


class Numbered:
    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> Token:
        self.asked += 1
        return Token(value=f"bearer-{self.asked}", expires_in=3600)


async def test_a_token_is_fetched_once_and_again_after_it_was_refused() -> None:
    api = Numbered()
    tokens = MemoryToken(api)

    assert [await tokens.get(), await tokens.get()] == ["bearer-1", "bearer-1"]
    assert await tokens.discard("bearer-1") == 1
    assert await tokens.discard("bearer-1") == 1, "the same one does not count twice"
    assert await tokens.get() == "bearer-2"
    assert await tokens.discard("bearer-2") == 2


async def test_a_token_that_was_taken_ends_the_row() -> None:
    tokens = MemoryToken(Numbered())
    await tokens.discard(await tokens.get())
    await tokens.accept(await tokens.get())

    assert await tokens.discard(await tokens.get()) == 1
