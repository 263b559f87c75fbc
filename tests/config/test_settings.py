"""Which value wins, and that nothing odd is taken for a default."""

import subprocess
import sys

import pytest

from omium.config import VARIABLES, load_settings, write_profile
from omium.errors import ConfigError
from omium.states import Durability, Environment


@pytest.fixture
def environ(tmp_path):
    return {"OMIUM_CONFIG_DIR": str(tmp_path / "config"), "HOME": str(tmp_path)}


@pytest.fixture
def write(tmp_path):
    def write(values, name="default", **options):
        return write_profile(tmp_path / "config", name, values, **options)

    return write


def put_key_file(folder, text, mode=0o600):
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_anything_the_local_server_is_meant(environ):
    settings = load_settings(environ=environ)
    assert settings.base_url == "http://127.0.0.1:8720"
    assert (settings.api_key, settings.environment, settings.durability) == (None, None, Durability.STRICT)
    assert settings.sources["base_url"] == "default"


def test_argument_beats_environment_beats_profile(environ, write):
    path = write({"base_url": "http://a:1", "api_key": "om_a"})
    assert load_settings(environ=environ).base_url == "http://a:1"

    environ |= {"OMIUM_BASE_URL": "http://b:1", "OMIUM_API_KEY": "om_b"}
    settings = load_settings(environ=environ)
    assert (settings.base_url, settings.api_key) == ("http://b:1", "om_b")

    settings = load_settings(base_url="http://c:1", api_key="om_c", environ=environ)
    assert (settings.base_url, settings.api_key) == ("http://c:1", "om_c")
    assert settings.sources["base_url"] == "argument"
    assert (
        str(path)
        in load_settings(environ={"OMIUM_CONFIG_DIR": environ["OMIUM_CONFIG_DIR"]}).sources["api_key"]
    )


def test_an_empty_variable_counts_as_not_set(environ, write):
    write({"api_key": "om_a"})
    assert load_settings(environ=environ | {"OMIUM_API_KEY": "", "OMIUM_BASE_URL": ""}).api_key == "om_a"


def test_a_profiles_key_is_not_sent_to_another_server(environ, write):
    write({"base_url": "http://a:1", "api_key": "om_a", "tenant_id": "tn_1"})
    settings = load_settings(base_url="http://b:1", environ=environ)
    assert (settings.api_key, settings.tenant_id) == (None, None)
    same = load_settings(base_url="http://a:1/", environ=environ)
    assert same.api_key == "om_a"


def test_a_profile_is_chosen_by_name_or_by_the_file(environ, write):
    write({"base_url": "http://a:1"}, "one")
    write({"base_url": "http://b:1"}, "two")
    assert load_settings(environ=environ).base_url == "http://b:1"
    assert load_settings(environ=environ, profile="one").base_url == "http://a:1"
    assert load_settings(environ=environ | {"OMIUM_PROFILE": "one"}).base_url == "http://a:1"


def test_a_profile_that_does_not_exist_is_not_replaced_by_another(environ, write):
    write({"base_url": "http://a:1"}, "one")
    with pytest.raises(ConfigError, match=r"no profile 'prod'.*there: one"):
        load_settings(environ=environ, profile="prod")


def test_the_key_can_lie_in_a_file_of_its_own(environ, tmp_path):
    path = put_key_file(tmp_path, "om_from_file\n")
    environ["OMIUM_API_KEY_FILE"] = str(path)
    assert load_settings(environ=environ).api_key == "om_from_file"
    assert load_settings(environ=environ | {"OMIUM_API_KEY": "om_b"}).api_key == "om_b"


def test_the_key_in_a_file_beats_the_profiles(environ, write, tmp_path):
    write({"base_url": "http://127.0.0.1:8720", "api_key": "om_a"})
    settings = load_settings(
        environ=environ | {"OMIUM_API_KEY_FILE": str(put_key_file(tmp_path, "om_from_file"))}
    )
    assert (settings.api_key, settings.sources["api_key"]) == ("om_from_file", "OMIUM_API_KEY_FILE")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_may_read_is_refused_with_the_remedy(environ, tmp_path, mode):
    path = put_key_file(tmp_path, "om_from_file", mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        load_settings(environ=environ | {"OMIUM_API_KEY_FILE": str(path)})
    assert "om_from_file" not in str(caught.value)


def test_an_empty_key_file_is_an_error_and_not_the_next_place(environ, write, tmp_path):
    write({"api_key": "om_a"})
    with pytest.raises(ConfigError, match="is empty"):
        load_settings(environ=environ | {"OMIUM_API_KEY_FILE": str(put_key_file(tmp_path, "\n"))})


def test_a_key_file_that_is_not_there_is_an_error(environ):
    with pytest.raises(ConfigError, match="OMIUM_API_KEY_FILE"):
        load_settings(environ=environ | {"OMIUM_API_KEY_FILE": "/nowhere/key"})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OMIUM_BASE_URL", "localhost:8720", "address"),
        ("OMIUM_ENVIRONMENT", "production", "dev, staging, prod"),
        ("OMIUM_DURABILITY", "loose", "strict, relaxed"),
        ("OMIUM_PROFILE", "../x", "profile"),
        ("OMIUM_UNAVAILABLE_AFTER_S", "soon", "seconds"),
        ("OMIUM_EFFECT_WAIT_S", "nan", "seconds"),
        ("OMIUM_API_KEY", "a b", "not one"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(environ, variable, value, said):
    with pytest.raises(ConfigError, match=said):
        load_settings(environ=environ | {variable: value})


def test_every_kind_of_value_is_read(environ):
    settings = load_settings(
        environ=environ
        | {"OMIUM_ENVIRONMENT": "prod", "OMIUM_DURABILITY": "relaxed", "OMIUM_UNAVAILABLE_AFTER_S": "1.5"}
    )
    assert settings.environment is Environment.PROD
    assert settings.durability is Durability.RELAXED
    assert settings.unavailable_after_s == 1.5


def test_a_password_in_an_address_is_refused_and_not_repeated(environ):
    with pytest.raises(ConfigError) as caught:
        load_settings(base_url="http://me:hunter2@host", environ=environ)
    assert "hunter2" not in str(caught.value)


def test_the_key_is_not_shown_where_settings_are_printed(environ):
    assert "om_secret" not in repr(load_settings(api_key="om_secret", environ=environ))


def test_every_setting_has_a_variable_and_a_description():
    assert {"base_url", "api_key", "environment", "durability", "profile", "folder"} <= set(VARIABLES)
    assert all(variable.startswith("OMIUM_") and text for variable, text in VARIABLES.values())


def test_reading_settings_loads_no_http_and_no_models():
    code = "import omium.config, sys; print({*sys.modules} & {'httpx', 'pydantic', 'ssl', 'asyncio'})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
