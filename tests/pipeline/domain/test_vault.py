"""Sealed blobs open with the right key in the right place, and nowhere else."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.errors import InputError
from pipeline.domain.vault import SealError, Vault, is_sealed, mac_of

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
VAULT = Vault([OLD], digest_key=b"d" * 32)


@given(plain=st.binary(max_size=2000), purpose=st.text(st.characters(exclude_characters="\0")))
def test_a_sealed_blob_opens_again(plain: bytes, purpose: str) -> None:
    purpose = purpose.encode(errors="ignore").decode()
    sealed = VAULT.seal(plain, purpose)
    assert VAULT.open(sealed, purpose) == plain
    assert len(plain) < 8 or plain not in sealed


def test_a_blob_moved_to_another_batch_does_not_open_there() -> None:
    sealed = VAULT.seal(b"https://x.example/secret", "links:1:1")
    with pytest.raises(SealError) as caught:
        VAULT.open(sealed, "links:1:2")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 100])
def test_a_damaged_blob_raises_seal_error(damage: bytes) -> None:
    with pytest.raises(SealError):
        VAULT.open(damage, "links:1:1")
    sealed = VAULT.seal(b"x", "links:1:1")
    with pytest.raises(SealError):
        VAULT.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "links:1:1")


def test_the_first_key_seals_and_all_of_them_open() -> None:
    rotated = Vault([NEW, OLD])
    assert rotated.open(VAULT.seal(b"x", "p"), "p") == b"x"
    assert Vault([NEW]).open(rotated.seal(b"x", "p"), "p") == b"x"
    with pytest.raises(SealError):
        VAULT.open(rotated.seal(b"x", "p"), "p")


def test_a_malformed_key_is_refused_without_showing_it() -> None:
    with pytest.raises(InputError) as caught:
        Vault(["my-own-password"])
    assert "my-own-password" not in str(caught.value)


def test_digests_depend_on_purpose_data_and_key() -> None:
    other = VAULT.with_digest_key(b"e" * 32)
    found = {
        VAULT.digest("link", b"x"),
        VAULT.digest("link", b"y"),
        VAULT.digest("recipient", b"x"),
        other.digest("link", b"x"),
    }
    assert len(found) == 4
    assert VAULT.digest("link", b"x", 12) == VAULT.digest("link", b"x", 12)
    assert len(VAULT.digest("link", b"x", 12)) == 12
    assert other.open(VAULT.seal(b"x", "p"), "p") == b"x", "only the digests differ"


@given(plain=st.binary(max_size=500))
def test_a_blob_says_which_key_opens_it_and_moves_to_the_first(plain: bytes) -> None:
    sealed, both = VAULT.seal(plain, "links:1:1"), Vault([NEW, OLD])
    assert is_sealed(sealed)
    assert (both.key_index(sealed), VAULT.key_index(sealed)) == (1, 0)
    moved = both.reseal(sealed)
    assert (both.key_index(moved), VAULT.key_index(moved)) == (0, None)
    assert Vault([NEW]).open(moved, "links:1:1") == plain
    assert mac_of(moved) != mac_of(sealed)


def test_a_blob_that_no_key_opens_cannot_be_resealed() -> None:
    with pytest.raises(SealError):
        Vault([NEW]).reseal(VAULT.seal(b"x", "p"))


@pytest.mark.parametrize("value", [b"", b"7", b"\x80", b"{}", b"\x80" + b"x" * 80])
def test_a_value_in_clear_is_not_taken_for_a_blob(value: bytes) -> None:
    assert not is_sealed(value)


def test_fingerprints_name_keys_in_their_order_and_do_not_show_them() -> None:
    assert Vault([NEW, OLD]).fingerprints == Vault([NEW]).fingerprints + VAULT.fingerprints
    assert len(set(Vault([NEW, OLD]).fingerprints)) == 2
    assert all(len(found) == 8 and found not in NEW + OLD for found in VAULT.fingerprints)
