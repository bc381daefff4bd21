"""Every variable of the contract, and what is said of a wrong one."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.errors import ConfigError
from config.fields import parse_duration
from config.settings import Settings, load_settings
from config.variables import variables

KEY = "0" * 43 + "="
SECRET = "hunter2-oK9"

REWARDS = {
    "CLAIMCAST_REWARDS__BASE_URL": "https://api.rewards.example/",
    "CLAIMCAST_REWARDS__EMAIL": "us@example.com",
    "CLAIMCAST_REWARDS__ACCESS_TOKEN": SECRET,
}
SMTP = {
    "CLAIMCAST_SMTP__HOST": "mail.example.com",
    "CLAIMCAST_SMTP__SENDER": "Prämien <rewards@example.com>",
}
TWILIO = {
    "CLAIMCAST_TWILIO__ACCOUNT_SID": "AC1",
    "CLAIMCAST_TWILIO__AUTH_TOKEN": SECRET,
    "CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006",
}
WEBHOOK = {
    "CLAIMCAST_WEBHOOK__URL": "https://app.example.com/hooks/rewards/",
    "CLAIMCAST_WEBHOOK__SECRET": "whsec_aHVudGVyMi1vSzktaHVudGVyMi1vSzktaHVudGVy",
    "CLAIMCAST_WEBHOOK__CONNECTIONS": "4",
}
OTHERS = {
    "CLAIMCAST_REDIS__URL": "rediss://user:hunter2@redis.example:6380/1",
    "CLAIMCAST_STATE_DIR": "/var/lib/claimcast",
    "CLAIMCAST_SECRET_KEYS": f"{KEY}, {KEY}",
    "CLAIMCAST_UNSAFE_REDIS": "1",
    "CLAIMCAST_REWARDS__LINKS_PATH": "Lines[].Url",
    "CLAIMCAST_REWARDS__COMPLETED_STATUSES": "Done, Ready",
    "CLAIMCAST_REWARDS__FAILED_STATUSES": "Void",
    "CLAIMCAST_REWARDS__TIMEOUT": "5s",
    "CLAIMCAST_REWARDS__FUNDS_PROBE": "30s",
    "CLAIMCAST_REWARDS__OVERDUE": "2h",
    "CLAIMCAST_PUBLIC_URL": "https://claims.example.com",
    "CLAIMCAST_SMTP__PORT": "465",
    "CLAIMCAST_SMTP__USERNAME": "us",
    "CLAIMCAST_SMTP__PASSWORD": SECRET,
    "CLAIMCAST_SMTP__SECURITY": "tls",
    "CLAIMCAST_SMTP__CONNECTIONS": "40",
    "CLAIMCAST_SMTP__BOUNCES": "bounces@example.com",
    "CLAIMCAST_TWILIO__BASE_URL": "http://127.0.0.1:8025",
    "CLAIMCAST_TWILIO__SEGMENT_PRICE": "0.0083",
    "CLAIMCAST_LIMITS__ORDERS": "1/s",
    "CLAIMCAST_LIMITS__READS": "300/m",
    "CLAIMCAST_LIMITS__EMAIL": "unlimited",
    "CLAIMCAST_LIMITS__SMS": "1000 / h",
    "CLAIMCAST_LIMITS__WEBHOOK": "20/s",
    "CLAIMCAST_RETRY__FIRST": "1",
    "CLAIMCAST_RETRY__CAP": "15 min",
    "CLAIMCAST_RETRY__GIVE_UP": "24 h",
    "CLAIMCAST_BATCH_SIZE": "10",
    "CLAIMCAST_LEASE_SECONDS": "2.5",
    "CLAIMCAST_RETENTION": "30",
    "CLAIMCAST_ALERT__URL": "https://hooks.example.com/T0/abc",
    "CLAIMCAST_ALERT__SECRET": "whsec_aHVudGVyMi1vSzktaHVudGVyMi1vSzktaHVudGVy",
    "CLAIMCAST_ALERT__EMAIL": "ops@example.com",
    "CLAIMCAST_LOG_FORMAT": "json",
}


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return load_settings(None)


def complaint(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(monkeypatch, **values)
    text = str(caught.value)
    assert not any(value in text for value in values.values() if len(value) > 4)
    return text


def test_without_any_variable_there_are_the_contracts_defaults() -> None:
    settings = load_settings(None)

    assert settings.redis.url is None
    assert settings.state_dir == Path(".claimcast")
    assert (settings.rewards, settings.smtp, settings.twilio) == (None, None, None)
    assert settings.limits.model_dump() == {
        "orders": "5/s",
        "reads": "10/s",
        "email": "50/s",
        "sms": "10/s",
        "webhook": "50/s",
    }
    assert settings.retry.first == timedelta(seconds=2)
    assert settings.retry.cap == timedelta(minutes=15)
    assert settings.retry.give_up == timedelta(hours=24)
    assert (settings.batch_size, settings.lease_seconds) == (100, 30)
    assert settings.retention == timedelta(days=90)
    assert settings.log_format is None
    assert not settings.unsafe_redis


def test_groups_have_defaults_for_unset_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **REWARDS, **SMTP, **TWILIO)

    assert settings.rewards
    assert settings.rewards.base_url == "https://api.rewards.example"
    assert settings.rewards.timeout == timedelta(seconds=30)
    assert settings.rewards.overdue == timedelta(hours=6)
    assert settings.rewards.completed_statuses == ("Completed", "Complete", "Fulfilled")
    assert settings.smtp
    assert (settings.smtp.port, settings.smtp.security) == (587, "starttls")
    assert settings.smtp.connections == 20
    assert settings.twilio
    assert settings.twilio.base_url == "https://api.twilio.com"


def test_every_variable_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    values = REWARDS | SMTP | TWILIO | WEBHOOK | OTHERS
    settings = load(monkeypatch, **values)

    known = {variable.name for variable in variables(Settings)}
    assert known - set(values) == {"CLAIMCAST_TWILIO__MESSAGING_SERVICE_SID"}
    assert settings.redis.url
    assert settings.redis.url.get_secret_value() == values["CLAIMCAST_REDIS__URL"]
    assert settings.unsafe_redis
    assert settings.rewards
    assert settings.rewards.completed_statuses == ("Done", "Ready")
    assert settings.rewards.timeout == timedelta(seconds=5)
    assert settings.webhook
    assert settings.webhook.url == values["CLAIMCAST_WEBHOOK__URL"]
    assert settings.limits.email == "unlimited"
    assert settings.lease_seconds == 2.5
    assert settings.retention == timedelta(days=30)
    assert settings.log_format == "json"


def test_no_secret_is_shown_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **REWARDS, **SMTP, **TWILIO, **WEBHOOK, **OTHERS)
    for text in (repr(settings), str(settings), str(settings.model_dump())):
        assert "hunter2" not in text
        assert KEY not in text
        assert "/T0/abc" not in text
        assert WEBHOOK["CLAIMCAST_WEBHOOK__SECRET"][6:] not in text


def test_settings_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    with pytest.raises(ValidationError, match="frozen"):
        settings.batch_size = 5  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.retry.first = timedelta(1)  # type: ignore[misc]


def test_every_variable_is_described() -> None:
    assert all(variable.description for variable in variables(Settings))
    secret = {variable.name for variable in variables(Settings) if variable.secret}
    assert secret == {
        "CLAIMCAST_REDIS__URL",
        "CLAIMCAST_SECRET_KEYS",
        "CLAIMCAST_REWARDS__ACCESS_TOKEN",
        "CLAIMCAST_SMTP__PASSWORD",
        "CLAIMCAST_TWILIO__AUTH_TOKEN",
        "CLAIMCAST_WEBHOOK__SECRET",
        "CLAIMCAST_ALERT__URL",
        "CLAIMCAST_ALERT__SECRET",
    }


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CLAIMCAST_BATCHSIZE", "CLAIMCAST_BATCH_SIZE"),
        ("CLAIMCAST_SMTP__PASWORD", "CLAIMCAST_SMTP__PASSWORD"),
        ("CLAIMCAST_SMTP_HOST", "CLAIMCAST_SMTP__HOST"),
        ("claimcast_redis_url", "CLAIMCAST_REDIS__URL"),
        ("CLAIMCAST_REDIS", "CLAIMCAST_REDIS__URL"),
    ],
)
def test_a_misspelt_name_is_an_error_that_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    text = complaint(monkeypatch, **{name: SECRET})
    assert text == f"{name.upper()} is not a setting; did you mean {nearest}?"


def test_a_dotenv_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "POSTGRES_PASSWORD=other\nCLAIMCAST_BATCH_SIZE=7\nexport CLAIMCAST_SMTP__HOST='mail'\n"
        'CLAIMCAST_SMTP__SENDER="Ä <a@example.com>"\nCLAIMCAST_LEASE_SECONDS=5\n',
        "utf-8",
    )
    monkeypatch.setenv("CLAIMCAST_LEASE_SECONDS", "9")

    settings = load_settings(env_file)

    assert (settings.batch_size, settings.lease_seconds) == (7, 9)
    assert settings.smtp
    assert settings.smtp.sender == "Ä <a@example.com>"


def test_a_misspelt_name_in_dotenv_is_an_error_too(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("CLAIMCAST_BATCH_SIZ=7\n")
    with pytest.raises(ConfigError, match=r"did you mean CLAIMCAST_BATCH_SIZE\?"):
        load_settings(env_file)


def test_an_unreadable_dotenv_is_named(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"CLAIMCAST_BATCH_SIZE=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        load_settings(env_file)


def test_a_missing_dotenv_is_no_problem(tmp_path: Path) -> None:
    assert load_settings(tmp_path / ".env").batch_size == 100


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, CLAIMCAST_SMTP__HOST="", CLAIMCAST_LOG_FORMAT="")
    assert settings.smtp is None
    assert settings.log_format is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"CLAIMCAST_BATCH_SIZE": "101"}, r"BATCH_SIZE: .*less than or equal to 100"),
        ({"CLAIMCAST_BATCH_SIZE": "dozens"}, r"BATCH_SIZE: .*valid integer"),
        ({"CLAIMCAST_LEASE_SECONDS": "nan"}, r"LEASE_SECONDS: "),
        ({"CLAIMCAST_RETRY__FIRST": "soonish"}, r"RETRY__FIRST: must be a length of time"),
        ({"CLAIMCAST_RETRY__FIRST": "1 d", "CLAIMCAST_RETRY__CAP": "1 h"}, r"RETRY: first must"),
        ({"CLAIMCAST_LIMITS__EMAIL": "fast/s"}, r"LIMITS__EMAIL: must be a rate such as 5/s"),
        ({"CLAIMCAST_LIMITS__EMAIL": "00/s"}, r"LIMITS__EMAIL: must be a rate such as 5/s"),
        (
            {"CLAIMCAST_REDIS__URL": "http://:secret@host"},
            r"REDIS__URL: must be a URL that starts",
        ),
        ({"CLAIMCAST_REDIS__URL": "redis:///0secret"}, r"REDIS__URL: must name a host"),
        ({"CLAIMCAST_REDIS__URL": "unix://secret"}, r"REDIS__URL: must name an absolute path"),
        ({"CLAIMCAST_REDIS__URL": "redis://u:p@[bad"}, r"REDIS__URL: must be a URL that starts"),
        ({"CLAIMCAST_SECRET_KEYS": f"{KEY},{KEY[1:]}"}, r"SECRET_KEYS: must hold Fernet keys"),
        ({"CLAIMCAST_SECRET_KEYS": ",,,,,"}, r"SECRET_KEYS: must hold Fernet keys"),
        ({"CLAIMCAST_PUBLIC_URL": "http://claims.example.com"}, r"PUBLIC_URL: .*https://"),
        ({"CLAIMCAST_PUBLIC_URL": "https://u:p@claims.example.com"}, r"PUBLIC_URL: .*without a u"),
        ({"CLAIMCAST_LOG_FORMAT": "prettier"}, r"LOG_FORMAT: .*'console' or 'json'"),
        ({"CLAIMCAST_ALERT__URL": "hooks.example"}, r"ALERT__URL: must be a URL"),
        ({"CLAIMCAST_ALERT__URL": "https://a.example"}, r"ALERT: url and secret go together"),
        ({"CLAIMCAST_ALERT__EMAIL": "ops@a.example"}, r"ALERT__EMAIL needs a mail server: set "),
        ({"CLAIMCAST_SMTP__PORT": "2525"}, r"SMTP__HOST is not set, but others of its group are"),
        (SMTP | {"CLAIMCAST_SMTP__USERNAME": "someone"}, r"SMTP: username and password go tog"),
        (SMTP | {"CLAIMCAST_SMTP__SECURITY": "sslv3"}, r"SMTP__SECURITY: .*'starttls', 'tls' or"),
        (SMTP | {"CLAIMCAST_SMTP__SENDER": "Rewards"}, r"SMTP__SENDER: must be an address"),
        (REWARDS | {"CLAIMCAST_REWARDS__LINKS_PATH": "a[[["}, r"LINKS_PATH: must be a JMESPath"),
        (REWARDS | {"CLAIMCAST_REWARDS__BASE_URL": "http://api.ex"}, r"BASE_URL: .*https://"),
        (WEBHOOK | {"CLAIMCAST_WEBHOOK__SECRET": "whsec_dG9vIHNob3J0"}, r"SECRET: must be whsec_"),
        (WEBHOOK | {"CLAIMCAST_WEBHOOK__SECRET": "no base64! " * 4}, r"SECRET: must be whsec_"),
        (WEBHOOK | {"CLAIMCAST_WEBHOOK__URL": "http://app.example"}, r"WEBHOOK__URL: .*https://"),
        (
            TWILIO | {"CLAIMCAST_TWILIO__MESSAGING_SERVICE_SID": "MG123"},
            r"TWILIO: set either messaging_service_sid or from_number",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_variable_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str
) -> None:
    text = complaint(monkeypatch, **values)
    assert re.search("CLAIMCAST_" + r"\w*" + said, text), text


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = complaint(monkeypatch, CLAIMCAST_BATCH_SIZE="-1", CLAIMCAST_LIMITS__SMS="secret")
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "CLAIMCAST_LIMITS__SMS",
        "CLAIMCAST_BATCH_SIZE",
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "[::1]"])
def test_plain_http_is_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert load(monkeypatch, CLAIMCAST_PUBLIC_URL=f"http://{host}:8080/x").public_url


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0.5", 0.5), ("30s", 30), ("15 min", 900), ("6h", 21600), ("24 H", 86400)],
)
def test_lengths_of_time_are_written_as_people_do(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0", "off", "Off"])
def test_a_retention_of_nothing_keeps_everything(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert load(monkeypatch, CLAIMCAST_RETENTION=text).retention == timedelta(0)


@given(st.text())
def test_a_length_of_time_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        assert parse_duration(text) > timedelta(0)
    except ValueError as error:
        assert "must be a length of time" in str(error)  # noqa: PT017 - either is right
