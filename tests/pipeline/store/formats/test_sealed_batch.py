"""The blobs of a batch open as they were sealed, and in their own place only."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet

from pipeline.domain.models import Recipient
from pipeline.domain.vault import SealError, Vault
from pipeline.store import keys
from pipeline.store.formats.sealed_batch import (
    open_evidence,
    open_links,
    open_recipients,
    seal_evidence,
    seal_links,
    seal_recipients,
)

PEOPLE = [Recipient(id="a", email="a@example.com"), Recipient(id="b", variables={"x": "1"})]
LINKS = ["https://claim.example/1", "", "https://claim.example/3"]

Seal = Callable[[Vault, str, int, Any], bytes]
Open = Callable[[Vault, str, int, bytes | None], object]
KINDS: list[tuple[Seal, Open, object]] = [
    (seal_recipients, open_recipients, PEOPLE),
    (seal_links, open_links, LINKS),
    (seal_links, open_links, [""]),
    (seal_evidence, open_evidence, b'{"Links": []}'),
]


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key().decode()])


@pytest.mark.parametrize(("seal", "opened", "content"), KINDS)
def test_it_opens_as_it_was_sealed(
    vault: Vault, seal: Seal, opened: Open, content: object
) -> None:
    assert opened(vault, "1", 2, seal(vault, "1", 2, content)) == content


@pytest.mark.parametrize(("seal", "opened", "content"), KINDS)
@pytest.mark.parametrize(("serial", "batch"), [("2", 2), ("1", 1), ("12", 2)])
def test_it_opens_nowhere_else(
    vault: Vault, seal: Seal, opened: Open, content: object, serial: str, batch: int
) -> None:
    with pytest.raises(SealError):
        opened(vault, serial, batch, seal(vault, "1", 2, content))


def test_one_kind_is_not_taken_for_another(vault: Vault) -> None:
    links = seal_links(vault, "1", 2, LINKS)
    for opened in (open_recipients, open_evidence):
        with pytest.raises(SealError):
            opened(vault, "1", 2, links)


def test_missing_recipients_do_not_open(vault: Vault) -> None:
    for sealed in (None, b"damaged"):
        with pytest.raises(SealError):
            open_recipients(vault, "1", 2, sealed)


def test_links_and_evidence_need_not_be_there(vault: Vault) -> None:
    assert open_links(vault, "1", 2, None) == []
    assert open_evidence(vault, "1", 2, None) == b""
    assert seal_evidence(vault, "1", 2, b"") == b"", "no evidence is not sealed"


def test_purposes_never_changed() -> None:
    assert (keys.DIGEST_KEY_PURPOSE, keys.TOKEN_PURPOSE) == ("digest key", "rewards token")
    assert keys.definition_purpose("7") == "definition:7"
    assert keys.recipients_purpose("7", 2) == "rows:7:2"
    assert keys.links_purpose("7", 2) == "links:7:2"
    assert keys.evidence_purpose("7", 2) == "raw:7:2"
    assert keys.resends_purpose("7", "ab") == "generations:7:ab"
    assert (keys.RECIPIENT_DIGEST, keys.LINK_DIGEST) == ("recipient", "link")
    assert (keys.LINK_REFERENCE_DIGEST, keys.SUPPRESSION_DIGEST) == ("link-ref", "suppression")
    assert (keys.AUDIT_PERSON_DIGEST, keys.AUDIT_CHAIN_DIGEST) == ("audit", "audit-chain")
    assert keys.signed_token_digest("bounce") == "token-bounce"
