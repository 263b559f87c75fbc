"""What is taken out of code and schemas before anybody sees them: literals beside the name of a secret."""

import pytest

from omium.adapters.masking import mask_document, mask_source

LITERAL = "hunter2-plain"


@pytest.mark.parametrize(
    "line",
    [
        'password = "hunter2-plain"',
        'self.api_key = "hunter2-plain"',
        'token: str = "hunter2-plain"',
        'conf["token"] = "hunter2-plain"',
        'os.environ["OPENAI_API_KEY"] = "hunter2-plain"',
        'key = os.getenv("OPENAI_API_KEY", "hunter2-plain")',
        'os.environ.setdefault("DB_PASSWORD", "hunter2-plain")',
        'setattr(self, "token", "hunter2-plain")',
        'keyring.set_password("service", "me", "hunter2-plain")',
        'client = Client(api_key="hunter2-plain")',
        'secret = f"hunter2-plain{1}"',
        'settings = {"password": ["hunter2-plain"]}',
        'headers = {"X-Own": "hunter2-plain"}',
        'PASSWORD, USER = "hunter2-plain", "bob"',
        'if token == "hunter2-plain": pass',
        'password = ("hunter2-"\n    "plain")',
        'def look(q, api_key="hunter2-plain"): pass',
        'url = "https://me:hunter2-plain@example.com"',
        '    password = "hunter2-plain"  # of a method that is cut out of its class',
    ],
)
def test_a_literal_beside_the_name_of_a_secret_leaves_no_code(line):
    masked = mask_source(line)

    assert LITERAL not in masked
    assert "hunter2" not in masked


@pytest.mark.parametrize(
    "line",
    [
        'name = "hunter2-plain"',
        'found = vault.get_secret("hunter2-plain")',
        'max_tokens = 7; page_token = "hunter2-plain"',
        'print("hunter2-plain")',
    ],
)
def test_other_code_stays_as_it_is(line):
    assert mask_source(line) == line


def test_a_default_of_a_parameter_with_such_a_name_leaves_no_schema():
    tool = {
        "input_schema": {
            "type": "object",
            "properties": {
                "api_key": {"type": "string", "default": LITERAL},
                "token": {"type": "string"},
                "colour": {"type": "string", "default": "red"},
                "inner": {"properties": {"password": {"default": LITERAL}}},
            },
        }
    }

    masked = mask_document({"tools": {"look": tool}})

    properties = masked["tools"]["look"]["input_schema"]["properties"]
    assert properties["api_key"]["default"] == "[redacted]"
    assert properties["inner"]["properties"]["password"]["default"] == "[redacted]"
    assert (properties["token"], properties["colour"]["default"]) == ({"type": "string"}, "red")


def test_secrets_that_are_known_are_masked_wherever_they_stand():
    masked = mask_document({"description": f"Say {LITERAL} twice."}, {LITERAL})

    assert masked == {"description": "Say [redacted] twice."}
