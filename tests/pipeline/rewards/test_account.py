import pytest

from pipeline.domain.errors import InputError
from pipeline.rewards.account import Account

TOKEN = "t0ken"


def _account(
    base_url: str = "https://api.example.com", email: str = "a@example.com", token: str = TOKEN
) -> Account:
    return Account(base_url=base_url, email=email, access_token=token)


@pytest.mark.parametrize(
    "base_url", ["https://api.example.com", "http://127.0.0.1:8080", "https://[::1]/rewards/"]
)
def test_an_address_of_an_api_is_accepted(base_url: str) -> None:
    assert _account(base_url).base_url == base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://user:password@api.example.com",
        "https://api.example.com?key=1",
        "https://api.example.com/#top",
        "https://api..example.com",
        "https://api.example.com:99999",
        "https://[::1",
        "https://api.example.com\n",
    ],
)
def test_anything_else_is_refused_with_the_name_of_the_setting(base_url: str) -> None:
    with pytest.raises(InputError, match="CLAIMCAST_REWARDS__BASE_URL must be") as caught:
        _account(base_url)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "two words", "line\r\nbreak", "ünicode"])
def test_credentials_that_no_header_can_carry_are_refused_unseen(value: str) -> None:
    with pytest.raises(InputError, match="ACCESS_TOKEN must be visible ASCII"):
        _account(token=value)
    with pytest.raises(InputError, match="EMAIL must be visible ASCII"):
        _account(email=value)


def test_the_access_token_is_not_shown() -> None:
    assert TOKEN not in repr(_account())


def test_two_accounts_share_no_key_and_one_account_has_one() -> None:
    keys = {
        _account().digest,
        _account(email="b@example.com").digest,
        _account("https://b.example").digest,
    }
    assert len(keys) == 3
    assert _account("https://api.example.com/", email="A@example.com").digest == _account().digest
    assert len(_account().digest) == 16
    assert "@" not in _account().digest
