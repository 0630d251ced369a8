"""Every setting of the system, read once from the environment, `.env` and `OANDA.env`. Secrets are SecretStr."""

import os
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from sep_trader.errors import InputError


class OandaEnvironment(StrEnum):
    """Which OANDA the account lives at. `custom` is any other address, such as the simulated exchange's."""

    PRACTICE = "practice"
    LIVE = "live"
    CUSTOM = "custom"


class Settings(BaseSettings):
    """Settings by environment variable; `.env.example` lists each with its meaning."""

    model_config = SettingsConfigDict(
        env_file=(".env", "OANDA.env"), env_file_encoding="utf-8", extra="ignore", frozen=True, populate_by_name=True
    )

    home: Path = Field(Path(platformdirs.user_data_dir("sep-trader")), alias="SEP_HOME")
    database_url: SecretStr | None = Field(None, alias="SEP_DATABASE_URL")
    log_level: str = Field("info", alias="SEP_LOG_LEVEL")

    api_host: str = Field("127.0.0.1", alias="SEP_API_HOST")
    api_port: int = Field(8080, alias="SEP_API_PORT", ge=1, le=65535)

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

    chunk_days: int = Field(1, alias="SEP_CHUNK_DAYS", ge=1)
    storage_budget_gb: dict[str, float] = Field({}, alias="SEP_STORAGE_BUDGET_GB")
    candle_retention_days: int = Field(0, alias="SEP_CANDLE_RETENTION_DAYS", ge=0)
    log_retention_days: int = Field(90, alias="SEP_LOG_RETENTION_DAYS", ge=0)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raises InputError that names the variable and what was expected."""
    try:
        # Secrets that systemd hands to a unit lie in files: LoadCredential=oanda_api_key:...
        return Settings(_secrets_dir=os.environ.get("CREDENTIALS_DIRECTORY"), **overrides)  # type: ignore[arg-type, call-arg]
    except SettingsError as error:  # a value that is no JSON where JSON is expected
        raise InputError(str(error), "see .env.example") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0] if first["loc"] else "setting"
        raise InputError(f"setting {name}: {first['msg']}", f"it is {first['input']!r}") from None
