"""The settings model, the file that documents it, and whoever uses a setting's name say the same."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sep_trader.cli import backup, health, signals
from sep_trader.cli.storage import folders
from sep_trader.errors import InputError
from sep_trader.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
NAMES = {str(f.alias) for f in Settings.model_fields.values()}
OF_THE_PERSON = {
    "SEP_HOME": "/home/me/.local/share/sep-trader",
    "SEP_BUNDLE_KEY": "/home/me/.config/sep-trader/bundle_key",
}
"""Defaults that lie in a person's home."""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting but those a test makes."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_example_lists_exactly_the_settings() -> None:
    listed = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(NAMES)


def test_defaults_in_the_example_are_the_models() -> None:
    stated = dict(re.findall(r"^#([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    for field in Settings.model_fields.values():
        if field.default is None or field.alias in OF_THE_PERSON:
            continue
        default = field.default.value if hasattr(field.default, "value") else field.default
        assert stated[str(field.alias)].lower() == str(default).lower(), field.alias


def test_defaults_that_lie_in_a_home() -> None:
    code = (
        "import json; from sep_trader.settings import Settings as S;"
        "print(json.dumps({f.alias: str(f.default) for f in S.model_fields.values()}))"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, env={"HOME": "/home/me"}, capture_output=True, text=True, check=True).stdout
    stated = dict(re.findall(r"^#([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    for name, where in OF_THE_PERSON.items():
        assert (json.loads(printed)[name], stated[name]) == (where, where)


def names_read(file: Path) -> Iterator[str]:
    """The SEP_ and OANDA_ names that a module hands to Typer as `envvar=` or reads from the environment itself."""
    for node in ast.walk(ast.parse(file.read_text())):
        asked: list[ast.expr] = []
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            asked = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("environ.get", "getenv", "environ.pop")):
            asked = node.args[:1]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            asked = [node.slice]
        elif isinstance(node, ast.Compare) and any(ast.unparse(c).endswith("environ") for c in node.comparators):
            asked = [node.left]
        for value in asked:
            if isinstance(value, ast.Constant) and str(value.value).startswith(("SEP_", "OANDA_")):
                yield str(value.value)


def test_whatever_the_code_reads_is_a_setting() -> None:
    read = {name: file.name for file in (ROOT / "src").rglob("*.py") for name in names_read(file)}
    assert "SEP_DEBUG" in read, "what is known to be read is not found: the test looks at nothing"
    assert not read.keys() - NAMES, read


def test_names_are_found_however_they_are_read(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "a = typer.Option('--a', envvar='SEP_A')\nb = typer.Option('--b', envvar=['SEP_B', 'OTHER'])\n"
        "c = os.environ['SEP_C']\nd = os.environ.get('SEP_D', 1)\ne = getenv('OANDA_E')\nf = 'SEP_F' in environ\n"
    )
    assert sorted(names_read(file)) == ["OANDA_E", "SEP_A", "SEP_B", "SEP_C", "SEP_D", "SEP_F"]


def test_no_option_reads_the_environment_past_the_settings() -> None:
    """It would not see `.env`, and would not be checked."""
    found = [f.name for f in (ROOT / "src").rglob("*.py") if re.search(r"envvar\s*=", f.read_text())]
    assert found == []


def test_whatever_the_droplets_units_are_told_is_a_setting() -> None:
    templates = list((ROOT / "deploy/roles").glob("*/templates/*"))
    told = {n for t in templates for n in re.findall(r"\b((?:SEP|OANDA)_[A-Z0-9_]+)=", t.read_text())}
    assert "SEP_BACKUP_DIR" in told
    assert told <= NAMES


def test_a_bad_setting_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEP_API_PORT", "eighty")
    with pytest.raises(InputError, match=r"SEP_API_PORT.*'eighty'"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEP_BACKUP_BUDGET_GB", "0", "greater than or equal to 0.1"),
        ("SEP_BACKUP_BUDGET_GB", "inf", "finite"),
        ("SEP_BACKUP_COPY_TO", "-essh", "expected a folder"),
        ("SEP_BACKUP_AGE_RECIPIENT", "me@example.com", "expected the public half"),
        ("SEP_DEBUG", "perhaps", "boolean"),
    ],
)
def test_what_a_setting_refuses(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"setting {name}: .*{said}.*'{value}'"):
        load_settings()


def test_no_other_name_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HOME is everybody's and DATABASE_URL, DEBUG and the like are other programs'."""
    for name in {field.upper() for field in Settings.model_fields} - NAMES:
        monkeypatch.setenv(name, str(tmp_path))
    assert load_settings() == Settings.model_construct()


def test_a_secret_may_come_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As systemd hands it to a unit: LoadCredential=oanda_api_key:..."""
    (tmp_path / "oanda_api_key").write_text("token-of-the-file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    key = load_settings().oanda_api_key
    assert key is not None
    assert key.get_secret_value() == "token-of-the-file"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OANDA_API_KEY", "very-secret")
    assert "very-secret" not in repr(load_settings())


def test_a_secret_key_in_place_of_a_public_one_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEP_BACKUP_AGE_RECIPIENT", "AGE-SECRET-KEY-1QQQQ")
    with pytest.raises(InputError) as refused:
        load_settings()
    assert "1QQQQ" not in str(refused.value)


def test_what_wins() -> None:
    """An option, then the environment, then the file, then the default; an empty value is no value."""
    assert load_settings().backup_budget_gb == 8.0
    Path(".env").write_text("SEP_BACKUP_BUDGET_GB=2\n")
    assert load_settings().backup_budget_gb == 2.0
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SEP_BACKUP_BUDGET_GB", "3")
        assert load_settings().backup_budget_gb == 3.0
        assert load_settings(backup_budget_gb=4).backup_budget_gb == 4.0
        assert load_settings(backup_budget_gb=None).backup_budget_gb == 3.0
        environment.setenv("SEP_BACKUP_BUDGET_GB", "")
        assert load_settings().backup_budget_gb == 2.0


def test_an_option_is_checked_like_a_setting() -> None:
    with pytest.raises(InputError, match="SEP_BACKUP_COPY_TO"):
        load_settings(backup_copy_to="--rsh=sh")


def test_folders_follow_each_other() -> None:
    assert load_settings(home=Path("/h")).backup_folder == Path("/h/backups")
    assert load_settings(home=Path("/h"), data_dir=Path("/d")).backup_folder == Path("/d/backups")
    both = load_settings(data_dir=Path("/d"), backup_dir=Path("/b"))
    assert folders(both) == {"raw_cache": Path("/d/raw_cache"), "backups": Path("/b")}


def test_a_tilde_is_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    Path(".env").write_text("SEP_BUNDLE_KEY=~/keys/bundle\n")
    assert load_settings().bundle_key == Path("/home/me/keys/bundle")


def test_backups_are_looked_for_where_the_file_says(tmp_path: Path) -> None:
    """The command itself: `.env`, and the option before it."""
    Path(".env").write_text(f"SEP_BACKUP_DIR={tmp_path / 'of_the_file'}\n")
    for options, folder in (([], "of_the_file"), (["--dir", str(tmp_path / "of_the_option")], "of_the_option")):
        done = CliRunner().invoke(backup.app, ["verify", *options])
        assert isinstance(done.exception, InputError)
        assert str(tmp_path / folder) in str(done.exception)


def test_signers_are_looked_for_where_the_file_says(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
        archive.writestr("manifest.json.sig", "signature")
    Path(".env").write_text(f"SEP_ALLOWED_SIGNERS={tmp_path / 'signers'}\n")
    done = CliRunner().invoke(signals.app, ["verify", str(tmp_path / "bundle.zip")])
    assert f"no allowed signers at {tmp_path / 'signers'}" in str(done.exception)


def test_health_asks_about_the_volume_that_the_file_names(tmp_path: Path) -> None:
    nowhere = "SEP_DATABASE_URL=postgresql://127.0.0.1:1/sep_trading\n"
    Path(".env").write_text(nowhere)
    assert "disk" not in CliRunner().invoke(health.app, []).output
    Path(".env").write_text(f"{nowhere}SEP_DATA_DIR={tmp_path}\nSEP_BACKUP_DIR={tmp_path}\n")
    done = CliRunner().invoke(health.app, [])
    assert f"of {tmp_path} used" in done.output
    assert "backup: there is none" in done.output
