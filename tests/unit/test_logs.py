"""Logs: one line each, for machines or people, and never a secret."""

import io
import json
import logging

import pytest
import structlog

from omium.apikeys import make_api_key
from omium.ids import new_id
from omium.logs import HIDDEN, configure_logs, get_logger, redact_text


@pytest.fixture
def stream():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def last(stream) -> dict[str, object]:
    return json.loads(stream.getvalue().splitlines()[-1])


def test_a_line_is_one_json_object(stream):
    configure_logs("auto", "info", stream)
    get_logger("omium.test").info("started", port=8720)

    line = last(stream)
    assert line["event"] == "started"
    assert line["logger"] == "omium.test"
    assert line["level"] == "info"
    assert line["port"] == 8720
    assert line["at"].endswith("Z")


def test_what_is_named_like_a_secret_is_hidden(stream):
    configure_logs("json", "info", stream)
    get_logger("t").info(
        "x", api_key="a", token="b", Authorization="c", db_password="d", key_id="ak_1", tokens=7
    )

    line = last(stream)
    assert [line[name] for name in ("api_key", "token", "Authorization", "db_password")] == [HIDDEN] * 4
    assert line["key_id"] == "ak_1"
    assert line["tokens"] == 7


def test_a_key_in_a_text_or_a_traceback_is_hidden(stream):
    configure_logs("json", "info", stream)
    token = make_api_key("dev", new_id("ak", 1)).token
    get_logger("t").error("failed", exc_info=RuntimeError(f"cannot send {token}"))

    assert token not in stream.getvalue()
    assert "RuntimeError" in stream.getvalue()


def test_the_standard_librarys_loggers_come_out_alike(stream):
    configure_logs("json", "info", stream)
    logging.getLogger("some.library").warning("password in url: %s", "postgresql://me:hunter2@host/db")

    line = last(stream)
    assert line["logger"] == "some.library"
    assert "hunter2" not in stream.getvalue()


def test_a_console_line_is_readable(stream):
    configure_logs("console", "info", stream)
    get_logger("t").info("started", port=1)

    assert "started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_below_the_level_nothing_is_written(stream):
    configure_logs("json", "warning", stream)
    get_logger("t").info("quiet")

    assert stream.getvalue() == ""
    with pytest.raises(ValueError, match="log level"):
        configure_logs("json", "loud", stream)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.def", f"Authorization: {HIDDEN}"),
        ("postgresql://me:pw@host/db", f"postgresql://{HIDDEN}@host/db"),
        ("nothing secret, om_dev_ here", "nothing secret, om_dev_ here"),
    ],
)
def test_texts(text, expected):
    assert redact_text(text) == expected
