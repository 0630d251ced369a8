"""Every setting of the system, read once from the environment, `.env` and `OANDA.env`. Secrets are SecretStr."""

import difflib
import os
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from sep_trader.errors import InputError

OTHER_NAMES = frozenset(
    {
        "SEP_DROPLET",  # scripts/deploy_to_droplet.sh, sync_to_droplet.sh: the machine
        "SEP_DEPLOY_VENV",  # deploy_to_droplet.sh: where Ansible is installed
        "SEP_REPOSITORY",  # setup of the droplet: where the code comes from
        "SEP_OUTBOX", "SEP_SYNC_EVERY", "SEP_SYNC_ALARM", "SEP_RESULTS_EVERY", "SEP_HANDOVER_KEY", "SEP_HANDOVER_KEYS",
        "SEP_BUNDLE_SIGNERS",  # sync_to_droplet.sh
        "SEP_BUILD_CACHE", "SEP_TEST_SPEC",  # tests
    }
)  # fmt: skip
"""SEP_ variables that are no settings: scripts, tests and the rehearsal read them themselves."""
OTHER_PREFIXES = ("SEP_REHEARSAL_",)
_FILES = (".env", "OANDA.env")


class OandaEnvironment(StrEnum):
    """Which OANDA the account lives at. `custom` is any other address, such as the simulated exchange's."""

    PRACTICE = "practice"
    LIVE = "live"
    CUSTOM = "custom"


FilePath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path as people write it: `~` is their home, in a file as in a shell."""


class Settings(BaseSettings):
    """Settings by environment variable; `.env.example` lists each with its meaning. An empty value counts as unset.

    Only the aliases are names: with `populate_by_name`, HOME, DEBUG or DATABASE_URL of other programs would be read.
    """

    model_config = SettingsConfigDict(
        env_file=_FILES,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    home: FilePath = Field(Path(platformdirs.user_data_dir("sep-trader")), alias="SEP_HOME")
    data_dir: FilePath | None = Field(None, alias="SEP_DATA_DIR")
    database_url: SecretStr | None = Field(None, alias="SEP_DATABASE_URL")
    log_level: str = Field("info", alias="SEP_LOG_LEVEL")
    debug: bool = Field(False, alias="SEP_DEBUG")
    test_data: FilePath = Field(Path("../shared/data"), alias="SEP_TEST_DATA")

    api_host: str = Field("127.0.0.1", alias="SEP_API_HOST")
    api_port: int = Field(8080, alias="SEP_API_PORT", ge=1, le=65535)
    api_hosts: list[str] = Field([], alias="SEP_API_HOSTS")
    api_public_status: bool = Field(False, alias="SEP_API_PUBLIC_STATUS")
    api_secure: bool = Field(False, alias="SEP_API_SECURE")
    api_requests_per_s: float = Field(600, alias="SEP_API_REQUESTS_PER_S", gt=0, allow_inf_nan=False)
    control_database_url: SecretStr | None = Field(None, alias="SEP_CONTROL_DATABASE_URL")

    oanda_api_key: SecretStr | None = Field(None, alias="OANDA_API_KEY")
    oanda_account_id: str | None = Field(None, alias="OANDA_ACCOUNT_ID")
    oanda_environment: OandaEnvironment = Field(OandaEnvironment.PRACTICE, alias="OANDA_ENVIRONMENT")
    oanda_api_url: str | None = Field(None, alias="OANDA_API_URL")
    oanda_stream_url: str | None = Field(None, alias="OANDA_STREAM_URL")

    live_trading: bool = Field(False, alias="SEP_LIVE_TRADING")
    risk_per_trade: Decimal = Field(Decimal("0.005"), alias="SEP_RISK_PER_TRADE", gt=0, le=Decimal("0.05"))
    max_open_trades: int = Field(5, alias="SEP_MAX_OPEN_TRADES", ge=1)
    max_daily_loss: Decimal = Field(Decimal("0.03"), alias="SEP_MAX_DAILY_LOSS", gt=0, le=1)
    max_spread_pips: Decimal = Field(Decimal(5), alias="SEP_MAX_SPREAD_PIPS", gt=0)
    price_max_age_s: int = Field(60, alias="SEP_PRICE_MAX_AGE_S", ge=1)
    max_weekly_loss: Decimal = Field(Decimal("0.06"), alias="SEP_MAX_WEEKLY_LOSS", gt=0, le=1)
    max_drawdown: Decimal = Field(Decimal("0.2"), alias="SEP_MAX_DRAWDOWN", gt=0, le=1)
    max_leverage: Decimal = Field(Decimal(10), alias="SEP_MAX_LEVERAGE", gt=0)
    max_currency_exposure: Decimal = Field(Decimal(6), alias="SEP_MAX_CURRENCY_EXPOSURE", gt=0)
    min_stop_pips: Decimal = Field(Decimal(3), alias="SEP_MIN_STOP_PIPS", ge=0)
    margin_headroom: Decimal = Field(Decimal("0.3"), alias="SEP_MARGIN_HEADROOM", ge=0, lt=1)
    losing_streak: int = Field(8, alias="SEP_LOSING_STREAK", ge=0)
    cooldown_minutes: int = Field(60, alias="SEP_COOLDOWN_MINUTES", ge=0)
    max_orders_a_minute: int = Field(10, alias="SEP_MAX_ORDERS_A_MINUTE", ge=1)
    risk_file: FilePath | None = Field(None, alias="SEP_RISK_FILE")
    news_file: FilePath | None = Field(None, alias="SEP_NEWS_FILE")
    clock_tolerance_s: float = Field(5, alias="SEP_CLOCK_TOLERANCE_S", ge=1)

    copy_from_socket: bool = Field(True, alias="SEP_COPY_FROM_SOCKET")
    chunk_days: int = Field(1, alias="SEP_CHUNK_DAYS", ge=1)
    storage_budget_gb: dict[str, float] = Field({}, alias="SEP_STORAGE_BUDGET_GB")
    candle_retention_days: int = Field(0, alias="SEP_CANDLE_RETENTION_DAYS", ge=0)
    log_retention_days: int = Field(90, alias="SEP_LOG_RETENTION_DAYS", ge=0)

    bundle_key: FilePath = Field(platformdirs.user_config_path("sep-trader") / "bundle_key", alias="SEP_BUNDLE_KEY")
    allowed_signers: FilePath = Field(Path("/etc/sep-trader/allowed_signers"), alias="SEP_ALLOWED_SIGNERS")

    backup_dir: FilePath | None = Field(None, alias="SEP_BACKUP_DIR")
    backup_budget_gb: float = Field(8.0, alias="SEP_BACKUP_BUDGET_GB", ge=0.1, allow_inf_nan=False)
    backup_scratch: FilePath | None = Field(None, alias="SEP_BACKUP_SCRATCH")
    backup_copy_to: str | None = Field(None, alias="SEP_BACKUP_COPY_TO")
    backup_age_recipient: str | None = Field(None, alias="SEP_BACKUP_AGE_RECIPIENT")

    alert_urls: SecretStr | None = Field(None, alias="SEP_ALERT_URLS")
    deadman_url: SecretStr | None = Field(None, alias="SEP_DEADMAN_URL")
    signal_silence_h: int = Field(24, alias="SEP_SIGNAL_SILENCE_H", ge=0)
    telegram_token: SecretStr | None = Field(None, alias="SEP_TELEGRAM_TOKEN")
    telegram_chats: list[int] = Field([], alias="SEP_TELEGRAM_CHATS")
    telegram_url: str = Field("https://api.telegram.org", alias="SEP_TELEGRAM_URL")

    @field_validator("alert_urls", "deadman_url", "telegram_token", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        """systemd hands over an empty file where a credential was not given."""
        return None if value == "" else value

    @field_validator("backup_copy_to")
    @classmethod
    def _is_a_target(cls, target: str | None) -> str | None:
        """rsync takes what begins with a dash as an option."""
        if target is not None and target.startswith("-"):
            raise ValueError("expected a folder, HOST:FOLDER or rsync://HOST/MODULE")
        return target

    @field_validator("backup_age_recipient")
    @classmethod
    def _is_public(cls, recipient: str | None) -> str | None:
        """What backups are encrypted for is public; its secret key has no place on this machine."""
        if recipient is not None and not recipient.startswith(("age1", "ssh-ed25519 ", "ssh-rsa ")):
            raise ValueError("expected the public half: age1... (of age-keygen), ssh-ed25519 ... or ssh-rsa ...")
        return recipient

    @property
    def data_folder(self) -> Path:
        """Where the raw cache and, unless they have a place of their own, the backups lie."""
        return self.data_dir or self.home

    @property
    def backup_folder(self) -> Path:
        """Where backups lie."""
        return self.backup_dir or self.data_folder / "backups"


def service_socket() -> str | None:
    """Where the service manager listens for signs of life (sd_notify); None where there is none."""
    return os.environ.get("NOTIFY_SOCKET") or None


def debug_is_on() -> bool:
    """Whether tracebacks are wanted. Settings that cannot be read answer by the presence of SEP_DEBUG."""
    try:
        return load_settings().debug
    except InputError:  # the settings are what the error is about
        return "SEP_DEBUG" in os.environ


def turn_debug_on() -> None:
    """Show tracebacks, in this process and in those that it starts."""
    os.environ["SEP_DEBUG"] = "1"


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides` (by field name) win over every other source, unless they are None.

    Raises InputError that names the variable and what was expected.
    """
    fields = Settings.model_fields
    given: dict[str, Any] = {str(fields[name].alias): value for name, value in overrides.items() if value is not None}
    _refuse_unknown_names()
    try:
        # Secrets that systemd hands to a unit lie in files: LoadCredential=oanda_api_key:...
        return Settings(_secrets_dir=os.environ.get("CREDENTIALS_DIRECTORY"), **given)  # type: ignore[call-arg]
    except SettingsError as error:  # a value that is no JSON where JSON is expected
        raise InputError(str(error), "see .env.example") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0] if first["loc"] else "setting"
        secret = "SECRET" in str(first["input"]).upper()
        shown = "it looks like a secret and is not shown" if secret else f"it is {first['input']!r}"
        raise InputError(f"setting {name}: {first['msg'].removeprefix('Value error, ')}", shown) from None


def source_of(alias: str) -> str:
    """Where a setting comes from: the environment, a file, systemd, or its default. A later file wins."""
    if os.environ.get(alias):
        return "environment"
    for name in reversed(_FILES):
        if dotenv_values(name, encoding="utf-8").get(alias):
            return name
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return "systemd credential" if folder and (Path(folder) / alias.lower()).exists() else "default"


def _refuse_unknown_names() -> None:
    """Raise InputError for a SEP_ variable that nobody reads: a typing error would silently keep the default."""
    known = {str(field.alias) for field in Settings.model_fields.values()} | OTHER_NAMES
    given = dict.fromkeys(os.environ, "the environment")
    for file in _FILES:
        given |= dict.fromkeys(dotenv_values(file, encoding="utf-8"), file)
    for name, source in sorted(given.items()):
        if name.startswith("SEP_") and name not in known and not name.startswith(OTHER_PREFIXES):
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else "see .env.example for every setting"
            raise InputError(f"unknown setting {name} in {source}", hint)
