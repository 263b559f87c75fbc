"""A key for another environment is refused before anything is done with it."""

import pytest

import omium
from omium.apikeys import make_api_key
from omium.config import load_settings, require_environment, write_profile
from omium.errors import ConfigError
from omium.sdk.session import Session, current_session, use_session

DEV = make_api_key("dev", "ak_01k9zzzzzzzzzzzzzzzzzzzzzz").token
PROD = make_api_key("prod", "ak_01k9zzzzzzzzzzzzzzzzzzzzzz").token


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("OMIUM_API_KEY", "OMIUM_ENVIRONMENT", "OMIUM_PROFILE", "OMIUM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMIUM_CONFIG_DIR", str(tmp_path))
    use_session(None)  # an earlier test of this process may have begun one
    yield tmp_path
    use_session(None)


def test_a_key_for_another_environment_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setenv("OMIUM_ENVIRONMENT", "prod")
    monkeypatch.setenv("OMIUM_API_KEY", DEV)

    for begin in (current_session, omium.Client, omium.AsyncClient, omium.init):
        with pytest.raises(ConfigError) as caught:
            begin()
        assert str(caught.value) == (
            "The environment prod is asked for (by OMIUM_ENVIRONMENT), and the API key "
            "(from OMIUM_API_KEY) is for dev. Use a key of prod: "
            "OMIUM_API_KEY, or another profile with OMIUM_PROFILE; or ask for dev."
        )
        assert DEV not in str(caught.value)


@pytest.mark.parametrize("environment", ["dev", None])
def test_a_key_for_this_environment_or_none_asked_for_is_fine(environment):
    assert require_environment(load_settings(api_key=DEV, environment=environment)) is None


def test_a_key_of_another_form_is_left_to_the_server():
    assert require_environment(load_settings(api_key="om_test", environment="prod")) is None


def test_a_profiles_environment_is_its_own_keys(folder, monkeypatch):
    write_profile(folder, "default", {"api_key": DEV, "environment": "dev"})
    monkeypatch.setenv("OMIUM_API_KEY", PROD)
    require_environment(load_settings())

    write_profile(folder, "default", {"api_key": DEV, "environment": "prod"})
    monkeypatch.delenv("OMIUM_API_KEY")
    with pytest.raises(ConfigError, match="is for dev"):
        Session(load_settings())
