"""The settings model, the file that documents it, and whoever uses a setting's name say the same."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sep_trader.cli import backup, health, signals
from sep_trader.cli.data import raw_cache
from sep_trader.cli.storage import folders
from sep_trader.errors import InputError
from sep_trader.settings import OTHER_NAMES, OTHER_PREFIXES, Settings, load_settings

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


def environment_read(file: Path) -> list[str]:
    """Each place in a module that reads the environment; handing the whole of it to a child process reads nothing."""
    tree = ast.parse(file.read_text())
    handed_on = {id(value) for node in ast.walk(tree) if isinstance(node, ast.Dict)
                 for key, value in zip(node.keys, node.values, strict=True) if key is None}  # fmt: skip
    found = []
    for node in ast.walk(tree):
        reads = isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node).split(".")[-1] in ("environ", "getenv")
        imports = isinstance(node, ast.ImportFrom) and {"environ", "getenv"} & {a.name for a in node.names}
        if (reads and id(node) not in handed_on) or imports:
            found.append(f"{file.name}:{node.lineno}")  # type: ignore[attr-defined]
    return found


def test_only_the_settings_read_the_environment() -> None:
    files = [f for f in (ROOT / "src").rglob("*.py") if f.name != "settings.py"]
    assert environment_read(ROOT / "src/sep_trader/settings.py"), "the test looks at nothing"
    assert [place for file in files for place in environment_read(file)] == []


def test_the_environment_is_found_however_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "import os\nfrom os import environ\nc = os.environ['SEP_C']\nd = os.environ.get('SEP_D', 1)\n"
        "e = os.getenv('OANDA_E')\nf = 'SEP_F' in environ\nrun(env={**os.environ, 'A': 'b'})\n"
    )
    assert sorted(place.split(":")[1] for place in environment_read(file)) == ["2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("SEP_DATABASE_ULR", "did you mean SEP_DATABASE_URL?"), ("SEP_XQZW", "see .env.example"),
     ("SEP_MAX_SPREAD_PIP", "did you mean SEP_MAX_SPREAD_PIPS?")],
)  # fmt: skip
@pytest.mark.parametrize("source", ["the environment", ".env", "OANDA.env"])
def test_an_unknown_variable_is_refused_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, hint: str, source: str
) -> None:
    if source == "the environment":
        monkeypatch.setenv(name, "x")
    else:
        (tmp_path / source).write_text(f"{name}=x\n")
    with pytest.raises(InputError) as refused:
        load_settings()
    assert f"unknown setting {name} in {source}" in str(refused.value)
    assert hint in str(refused.value)


@pytest.mark.parametrize("name", ["SEP_DROPLET", "SEP_SYNC_EVERY", "SEP_OUTBOX", "SEP_REHEARSAL_CACHE", "OANDA_OTHER"])
def test_variables_of_scripts_and_of_other_programs_are_no_settings(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    load_settings()


def test_every_variable_of_scripts_and_tests_is_known() -> None:
    """Otherwise `sep` would refuse to run beside them."""
    places = [ROOT / "Makefile", *(ROOT / "scripts").rglob("*"), *(ROOT / "deploy").rglob("*")]
    places += [f for folder in ("contract", "droplet", "support") for f in (ROOT / "tests" / folder).rglob("*.py")]
    texts = [f.read_text(errors="ignore") for f in places if f.is_file()]
    used = {name for text in texts for name in re.findall(r"\bSEP_[A-Z0-9_]+\b", text)}
    assert "SEP_DROPLET" in used
    assert {n for n in used - NAMES - OTHER_NAMES if not n.startswith(OTHER_PREFIXES)} == set()


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_the_data_folder_reaches_whatever_lies_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    """Downloads, the storage budget and the backups agree on one folder, wherever the variable is set."""
    if where == ".env":
        (tmp_path / ".env").write_text(f"SEP_DATA_DIR={tmp_path}/volume\n")
    else:
        monkeypatch.setenv("SEP_DATA_DIR", f"{tmp_path}/volume")
    settings = load_settings()
    assert raw_cache(settings).folder == tmp_path / "volume" / "raw_cache" == folders(settings)["raw_cache"]
    assert settings.backup_folder == tmp_path / "volume" / "backups"


def test_an_empty_data_folder_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEP_DATA_DIR", "")
    assert raw_cache(load_settings()).folder == load_settings().home / "raw_cache"


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
    assert "disk:" not in CliRunner().invoke(health.app, []).output
    Path(".env").write_text(f"{nowhere}SEP_DATA_DIR={tmp_path}\nSEP_BACKUP_DIR={tmp_path}\n")
    done = CliRunner().invoke(health.app, [])
    assert f"of {tmp_path} used" in done.output
    assert "backup: there is none" in done.output
