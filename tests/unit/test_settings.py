"""The settings model and the file that documents it say the same."""

import re
from pathlib import Path

import pytest

from sep_trader.errors import InputError
from sep_trader.settings import Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_the_example_lists_exactly_the_settings() -> None:
    listed = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(str(f.alias) for f in Settings.model_fields.values())


def test_defaults_in_the_example_are_the_models() -> None:
    stated = dict(re.findall(r"^#([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    for field in Settings.model_fields.values():
        if field.default is None or field.alias == "SEP_HOME":
            continue
        default = field.default.value if hasattr(field.default, "value") else field.default
        assert stated[str(field.alias)].lower() == str(default).lower(), field.alias


def test_a_bad_setting_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEP_API_PORT", "eighty")
    with pytest.raises(InputError, match=r"SEP_API_PORT.*'eighty'"):
        load_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OANDA_API_KEY", "very-secret")
    assert "very-secret" not in repr(load_settings())
