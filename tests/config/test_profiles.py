"""The configuration file: private, whole at every moment, and named with its line when it is wrong."""

import multiprocessing
import os
import stat
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.config import config_folder, read_config, write_profile
from omium.config.beside import find_other_distribution, warn_about_other_distribution
from omium.errors import ConfigError


def put(folder, text, mode=0o600):
    folder.mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_folder_is_our_own(tmp_path):
    assert config_folder({"HOME": str(tmp_path)}) == tmp_path / ".config/omium-os"
    assert config_folder({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}).as_posix() == "/x/omium-os"
    assert config_folder({"OMIUM_CONFIG_DIR": "/y", "XDG_CONFIG_HOME": "/x"}).as_posix() == "/y"


def test_what_is_written_is_read_back(tmp_path):
    write_profile(
        tmp_path / "c", "default", {"base_url": "http://a:1", "api_key": 'om_ä"\\', "effect_wait_s": 2.5}
    )
    found = read_config(tmp_path / "c")
    assert found.active == "default"
    assert found.profiles == {
        "default": {"base_url": "http://a:1", "api_key": 'om_ä"\\', "effect_wait_s": 2.5}
    }


def test_file_and_folder_are_private(tmp_path):
    path = write_profile(tmp_path / "c", "default", {"api_key": "om_x"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_that_others_may_read_is_refused_with_the_remedy(tmp_path):
    path = put(tmp_path, '[profiles.default]\napi_key = "om_x"\n', 0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        read_config(tmp_path)
    put(tmp_path, '[profiles.default]\nbase_url = "http://a"\n', 0o644)
    read_config(tmp_path)


def test_comments_and_other_profiles_stay(tmp_path):
    path = put(
        tmp_path,
        '# mine\nprofile = "a"\n\n[profiles.a] # first\nbase_url = "http://a:1"\napi_key = "old"\n\n'
        '# about b\n[profiles.b]\nbase_url = "http://b:1"\n',
    )
    write_profile(tmp_path, "a", {"base_url": "http://a:2"}, activate=False)
    text = path.read_text()
    assert "# mine" in text
    assert "# about b" in text or "http://b:1" in text
    assert read_config(tmp_path).profiles == {
        "a": {"base_url": "http://a:2"},
        "b": {"base_url": "http://b:1"},
    }


def test_a_file_in_another_style_is_rewritten_with_the_same_meaning(tmp_path):
    put(tmp_path, 'profiles = { a = { base_url = "http://a:1" }, b = { base_url = "http://b:1" } }\n')
    write_profile(tmp_path, "a", {"base_url": "http://a:2"})
    found = read_config(tmp_path)
    assert found.profiles == {"a": {"base_url": "http://a:2"}, "b": {"base_url": "http://b:1"}}
    assert found.active == "a"


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
            st.dictionaries(
                st.sampled_from(["base_url", "api_key", "tenant", "tls_pin"]),
                st.text(min_size=1).filter(str.isprintable),
            ),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_any_sequence_of_writes_gives_what_was_written_last(tmp_path_factory, writes):
    folder = tmp_path_factory.mktemp("config")
    expected, active = {}, "default"
    for name, values, activate in writes:
        write_profile(folder, name, values, activate=activate)
        expected[name] = values
        active = name if activate else active
    found = read_config(folder)
    assert found.profiles == expected
    assert found.active == active


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[profiles.a]\nbase_url = "http://a\n', 2, "TOML"),
        ('[profiles.a]\nbase_url = "x"\n\nbase_ulr = "y"\n', 4, "base_ulr"),
        ('profile = "a"\nserver = "x"\n', 2, "stand at the top"),
        ('[profiles.a]\nbase_url = "x"\n[profiles.b]\nbase_url = 7\n', 4, "text"),
        ('[profiles.a]\nunavailable_after_s = "x"\n', 2, "seconds"),
        ("profiles = 3\n", 1, "stand at the top"),
    ],
)  # fmt: skip
def test_a_broken_file_is_an_error_that_names_the_line(tmp_path, text, line, said):
    path = put(tmp_path, text)
    with pytest.raises(ConfigError, match=rf"(?s){path}.*line {line}\b.*") as caught:
        read_config(tmp_path)
    assert said in str(caught.value)


def test_a_broken_file_is_not_overwritten(tmp_path):
    path = put(tmp_path, "[profiles.a\n")
    with pytest.raises(ConfigError):
        write_profile(tmp_path, "a", {"base_url": "http://a"})
    assert path.read_text() == "[profiles.a\n"


@pytest.mark.parametrize(
    "values", [{"nonsense": "x"}, {"api_key": "a\nb"}, {"api_key": ""}, {"effect_wait_s": True}]
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, values):
    with pytest.raises(ConfigError):
        write_profile(tmp_path / "c", "a", values)
    assert not (tmp_path / "c").exists()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_profile(tmp_path, "a", {"base_url": "http://a:1"})
    before = path.read_text()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_profile(tmp_path, "a", {"base_url": "http://a:2"})
    assert path.read_text() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.lock", "config.toml"]


def test_a_link_to_a_file_elsewhere_stays_a_link(tmp_path):
    real = put(tmp_path / "dotfiles", "")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/config.toml").symlink_to(real)
    write_profile(tmp_path / "c", "a", {"base_url": "http://a:1"})
    assert (tmp_path / "c/config.toml").is_symlink()
    assert tomllib.loads(real.read_text())["profiles"]["a"] == {"base_url": "http://a:1"}


def _write_ten(folder, name):
    for number in range(10):
        write_profile(folder, f"{name}{number}", {"base_url": f"http://{name}:{number}"})


def test_two_processes_do_not_lose_each_others_profiles(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write_ten, args=(tmp_path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert len(read_config(tmp_path).profiles) == 20


@pytest.mark.parametrize("name", ["omium-0.4.2.dist-info", "omium.egg-info", "Omium-1.0.dist-info"])
def test_the_other_distribution_is_seen_and_warned_about(tmp_path, name):
    (tmp_path / name).mkdir()
    assert find_other_distribution([str(tmp_path / "missing"), str(tmp_path)]) == str(tmp_path / name)
    with pytest.warns(UserWarning, match="pip uninstall omium"):
        warn_about_other_distribution([str(tmp_path)])


@pytest.mark.parametrize(
    "name", ["omium_os-0.1.0.dist-info", "omium-os-0.1.0.dist-info", "omium", "omium_x.egg-info"]
)
def test_our_own_distribution_is_not_the_other_one(tmp_path, name):
    (tmp_path / name).mkdir()
    assert find_other_distribution([str(tmp_path)]) is None
    warn_about_other_distribution([str(tmp_path)])
