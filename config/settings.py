"""All configuration, read once at start-up and validated as a whole."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from config import variables
from config.errors import ConfigError
from config.fields import (
    Days,
    Duration,
    FernetKeys,
    HookUrl,
    JmesPath,
    MailboxText,
    RateText,
    RedisUrl,
    SecretWebUrl,
    ServiceUrl,
    WebhookSecret,
    Words,
)

NonEmptyText = Annotated[str, Field(min_length=1)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RedisSettings(_Group):
    url: RedisUrl | None = Field(
        None,
        description="redis://, rediss:// or unix:// URL of the server; without it, an embedded"
        " Valkey under CLAIMCAST_STATE_DIR is started or joined",
    )


class RewardsSettings(_Group):
    base_url: ServiceUrl = Field(description="where the rewards API is")
    email: NonEmptyText = Field(description="the account's e-mail address")
    access_token: SecretStr = Field(min_length=1, description="the account's access token")
    links_path: JmesPath | None = Field(
        None, description="JMESPath from an order to its link URLs, where the rule does not do"
    )
    completed_statuses: Words = Field(
        ("Completed", "Complete", "Fulfilled"),
        description="order statuses, comma-separated, that mean fulfilled",
    )
    failed_statuses: Words = Field(
        ("Failed", "Cancelled", "Canceled", "Rejected"),
        description="order statuses, comma-separated, that mean it will never be",
    )
    timeout: Duration = Field(timedelta(seconds=30), description="for one request")
    funds_probe: Duration = Field(
        timedelta(minutes=1),
        description="without funds, until one order tries again; grows to fifteen times that",
    )
    overdue: Duration = Field(
        timedelta(hours=6), description="an order that is not finished by then is held"
    )


class SmtpSettings(_Group):
    host: NonEmptyText = Field(description="the mail server")
    port: int = Field(587, gt=0, lt=65536, description="its port")
    username: NonEmptyText | None = Field(None, description="for AUTH")
    password: SecretStr | None = Field(None, description="for AUTH")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls or none; never falls back to less"
    )
    sender: MailboxText = Field(description="the From address, plain or `Name <address>`")
    connections: int = Field(20, ge=1, le=1000, description="per worker")
    bounces: MailboxText | None = Field(
        None,
        description="envelope sender, tagged per message (VERP), whose mail is piped to"
        " `claimcast bounces`; without it mail goes out under `sender`",
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.username is None) != (self.password is None):
            msg = "username and password go together: set both or neither"
            raise ValueError(msg)
        return self


class TwilioSettings(_Group):
    account_sid: NonEmptyText = Field(description="the account, AC…")
    auth_token: SecretStr = Field(min_length=1, description="the account's token")
    messaging_service_sid: NonEmptyText | None = Field(None, description="the sender pool, MG…")
    from_number: NonEmptyText | None = Field(
        None, description="the sender, in E.164, instead of a messaging service"
    )
    base_url: ServiceUrl = Field("https://api.twilio.com", description="where the API is")
    segment_price: Decimal | None = Field(
        None, ge=0, description="what one segment costs you, for the estimate of `validate`"
    )

    @model_validator(mode="after")
    def _one_sender(self) -> Self:
        if (self.messaging_service_sid is None) == (self.from_number is None):
            msg = "set either messaging_service_sid or from_number"
            raise ValueError(msg)
        return self


class WebhookSettings(_Group):
    url: HookUrl = Field(description="the app or portal that messages are posted to")
    secret: WebhookSecret = Field(
        description="what they are signed with (Standard Webhooks), whsec_… as the app has it"
    )
    connections: int = Field(10, ge=1, le=1000, description="per worker")


class LimitSettings(_Group):
    orders: RateText = Field("5/s", description="orders placed")
    reads: RateText = Field("10/s", description="orders read")
    email: RateText = Field("50/s", description="e-mails sent")
    sms: RateText = Field("10/s", description="SMS sent")
    webhook: RateText = Field("50/s", description="messages posted to the app or portal")


class RetrySettings(_Group):
    first: Duration = Field(
        timedelta(seconds=2), description="the wait after a delivery's first transient failure"
    )
    cap: Duration = Field(timedelta(minutes=15), description="the longest wait between two")
    give_up: Duration = Field(
        timedelta(hours=24), description="then it has failed, definitely (gave_up)"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.first <= self.cap <= self.give_up:
            msg = "first must not be above cap, nor cap above give_up"
            raise ValueError(msg)
        return self


class AlertSettings(_Group):
    url: SecretWebUrl | None = Field(
        None, description="told by a signed POST when something is held up, and when it is over"
    )
    secret: WebhookSecret | None = Field(
        None, description="what those posts are signed with (Standard Webhooks); goes with the URL"
    )
    email: MailboxText | None = Field(
        None, description="told by mail, through the mail server above; either or both"
    )

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if (self.url is None) != (self.secret is None):
            msg = "url and secret go together: posts are signed"
            raise ValueError(msg)
        return self


class Settings(BaseSettings):
    """Environment variables start with `CLAIMCAST_`; groups nest with `__`."""

    model_config = SettingsConfigDict(
        env_prefix=variables.PREFIX,
        env_nested_delimiter=variables.DELIMITER,
        env_ignore_empty=True,
        enable_decoding=False,
        # Of a .env, which may serve others too; names with our prefix are checked before.
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    redis: RedisSettings = RedisSettings()
    state_dir: Path = Field(
        Path(".claimcast"),
        description="the embedded server and the generated key; made private (0700)",
    )
    secret_keys: FernetKeys | None = Field(
        None,
        description="Fernet keys, comma-separated: the first encrypts, all decrypt; with the"
        " embedded server one is made in CLAIMCAST_STATE_DIR",
    )
    unsafe_redis: bool = Field(
        default=False, description="1 accepts a server that can lose or evict"
    )
    rewards: RewardsSettings | None = None
    public_url: ServiceUrl | None = Field(
        None, description="where `serve` is reachable from outside; enables webhooks"
    )
    smtp: SmtpSettings | None = None
    twilio: TwilioSettings | None = None
    webhook: WebhookSettings | None = None
    limits: LimitSettings = LimitSettings()
    retry: RetrySettings = RetrySettings()
    batch_size: int = Field(100, ge=1, le=100, description="recipients per order")
    lease_seconds: float = Field(
        30, ge=1, le=3600, description="after a worker's death, until another takes over"
    )
    retention: Days = Field(
        timedelta(days=90),
        description="days until people and links of an ended campaign are purged; 0 or off: never",
    )
    alert: AlertSettings = AlertSettings()
    log_format: Literal["console", "json"] | None = Field(
        None, description="console or json; without it console on a terminal, else json"
    )

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Self:
        if self.alert.email is not None and self.smtp is None:
            msg = "CLAIMCAST_ALERT__EMAIL needs a mail server: set CLAIMCAST_SMTP__HOST as well"
            raise ValueError(msg)
        return self


def load_settings(env_file: str | Path | None = ".env") -> Settings:
    """
    Read the environment, and *env_file* where it exists; the environment wins.

    Raises ConfigError with all problems, one sentence and one line each, without values.
    """
    try:
        problems = variables.unknown_names(Settings, env_file)
        if problems:
            raise ConfigError("\n".join(problems))
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise ConfigError("\n".join(variables.problem_sentences(error))) from None
    except (SettingsError, OSError, UnicodeDecodeError):
        msg = f"{env_file} cannot be read: it must be a text file of NAME=value lines"
        raise ConfigError(msg) from None
