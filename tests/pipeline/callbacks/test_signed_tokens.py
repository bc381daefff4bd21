"""A token says what it was made for, with the key, and nothing without it."""

import base64
import re

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from pipeline.domain.models import ChannelName
from pipeline.domain.vault import Vault

KEY = Fernet.generate_key().decode()
TOKENS = SignedTokens(Vault([KEY], digest_key=b"k" * 32))
PURPOSES = st.sampled_from(list(Purpose))
TARGETS = st.builds(
    Target,
    serial=st.integers(0, 2**32 - 1).map(str),
    batch=st.integers(0, 2**32 - 1),
    index=st.integers(0, 255),
    channel=st.sampled_from([ChannelName.EMAIL, ChannelName.SMS]),
    resend_number=st.integers(0, 255),
    attempt=st.integers(0, 0xFFFF),
)
A_TARGET = Target(serial="7", batch=3, index=99, attempt=2)


@given(PURPOSES, TARGETS)
def test_a_token_is_read_as_it_was_made(purpose: Purpose, target: Target) -> None:
    token = TOKENS.make(purpose, target)
    assert TOKENS.read(purpose, token) == target
    assert TOKENS.read(purpose, token.upper()) == target  # mail servers may fold it
    assert re.fullmatch("[a-z2-7]{40}", token)


@given(PURPOSES, PURPOSES, TARGETS)
def test_a_token_is_worth_nothing_for_another_purpose(
    made: Purpose, asked: Purpose, target: Target
) -> None:
    found = TOKENS.read(asked, TOKENS.make(made, target))
    assert found == (target if made is asked else None)


@given(PURPOSES, TARGETS, st.integers(0, 25 * 8 - 1))
def test_any_flipped_bit_makes_it_void(purpose: Purpose, target: Target, bit: int) -> None:
    raw = bytearray(base64.b32decode(TOKENS.make(purpose, target).upper()))
    raw[bit // 8] ^= 1 << bit % 8
    assert TOKENS.read(purpose, base64.b32encode(raw).decode().lower()) is None


@given(PURPOSES, st.text(max_size=80) | st.text("abcdefghijklmnopqrstuvwxyz234567=", max_size=64))
def test_no_text_is_a_token_by_chance(purpose: Purpose, text: str) -> None:
    assert TOKENS.read(purpose, text) is None


@pytest.mark.parametrize("cut", [0, 1, 8, 20, 39])
def test_a_part_of_a_token_is_none(cut: int) -> None:
    token = TOKENS.make(Purpose.BOUNCE, A_TARGET)
    assert TOKENS.read(Purpose.BOUNCE, token[:cut]) is None
    assert TOKENS.read(Purpose.BOUNCE, token + "a" * (cut + 1)) is None


def test_another_installation_cannot_make_ours() -> None:
    others = SignedTokens(Vault([KEY], digest_key=b"o" * 32))
    assert TOKENS.read(Purpose.BOUNCE, others.make(Purpose.BOUNCE, A_TARGET)) is None


def test_an_attempt_beyond_what_fits_is_still_a_token() -> None:
    target = Target(serial="7", batch=3, attempt=0x10000)
    found = TOKENS.read(Purpose.CALLBACK, TOKENS.make(Purpose.CALLBACK, target))
    assert found is not None
    assert found.attempt == 0xFFFF
