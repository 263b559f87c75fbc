"""`omium providers list|test|add|remove`: the models' servers that this machine's server may call.

Reads and changes `providers.toml` in the server's data folder, whether the server runs or not: it's for the
operator. What stands in it is docs/providers.md's. A key is never an argument, and never shown.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omium.cli.context import Common, for_this_machine
from omium.cli.ending import WrongUse
from omium.cli.folder import Data, settings_of
from omium.cli.options import Yes
from omium.cli.table import Column
from omium.errors import OmiumError

if TYPE_CHECKING:
    from omium.server.builtin.providers import Provider

app = typer.Typer(
    help="Name the models' servers that workflows use, test.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
@for_this_machine
def list_providers(common: Common, data: Data = None) -> None:
    """List the providers in the server's providers.toml. Keys are not shown, to anybody.

    \b
    omium providers list
    omium providers list --data ./omium --json
    """
    path, providers = _read(data)
    if common.output.as_json:
        common.output.json([_facts(each) for each in providers])
        return
    common.output.table(
        [
            Column("NAME", lambda p: p.name),
            Column("BASE URL", lambda p: p.base_url, give="cut", width_min=20),
            Column("MODELS", lambda p: ", ".join(p.models) or "any", give="cut", width_min=12),
            Column("KEY", lambda p: "yes" if p.key else "none"),
        ],
        providers,
        empty=f"No providers. Add one: omium providers add NAME --base-url URL, or describe it in {path}.",
    )


@app.command("test")
@for_this_machine
def ask_provider(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in providers.toml.")],
    model: Annotated[str, typer.Option("--model", help="Which model. [default: the provider's first]")] = "",
    data: Data = None,
) -> None:
    """Ask a provider one short question, as a workflow would.

    \b
    omium providers test local
    omium providers test cloud --model small-1
    """
    from omium.server.builtin.trying import try_provider

    path, providers = _read(data)
    if name not in {each.name for each in providers}:
        known = ", ".join(each.name for each in providers) or "none"
        raise WrongUse(f"There is no provider {name!r} in {path}; there are: {known}.")
    tried = try_provider(path, name, model, settings_of(data, None).outbound_ca_file)
    if tried.problem:
        raise OmiumError(tried.problem)
    facts = {
        "provider": name,
        "model": tried.model,
        "said": tried.said,
        "input_tokens": tried.input_tokens,
        "output_tokens": tried.output_tokens,
    }
    if common.output.as_json:
        common.output.json(facts)
    else:
        common.output.facts([(key.replace("_", " "), str(value)) for key, value in facts.items()])


@app.command("add")
@for_this_machine
def add_provider(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What workflows call it.")],
    address: Annotated[
        str, typer.Option("--base-url", metavar="URL", help="Where it is; /chat/completions follows.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="MODEL", help="An allowed one; the first is the default. [default: any]"
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="The server reads the key from this file.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option("--key-env", metavar="VAR", help="The server's environment has the key.")
    ] = None,
    no_key: Annotated[bool, typer.Option("--no-key", help="It takes no key.")] = False,
    data: Data = None,
    yes: Yes = False,
) -> None:
    """Add a provider to the server's providers.toml, or change one. A running server sees it at once.

    Its key is asked for, or read from stdin, and kept sealed with the server's key file.

    \b
    omium providers add local --base-url http://127.0.0.1:11434/v1 --model llama3.2 --no-key
    pass show cloud | omium providers add cloud --base-url https://api.example.com/v1 --model small-1
    """
    from omium.server.builtin.provider_file import plan_entry, write_entry

    if sum((key_file is not None, key_env is not None, no_key)) > 1:
        raise WrongUse("Name one of --key-file, --key-env and --no-key.")
    entry: dict[str, object] = {"base_url": address}
    environ = dict(os.environ)
    if models:
        entry["models"] = list(dict.fromkeys(models))
    if key_file is not None:
        entry["key_file"] = str(key_file.expanduser().absolute())
    if key_env is not None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key_env):  # not repeated: it may be the key itself
            raise WrongUse(
                "--key-env is the name of a variable, such as CLOUD_KEY; the key is not told here."
            )
        entry["key_env"] = key_env
        environ.setdefault(key_env, "in the server's environment")  # which need not be this one
    if not all(text.isprintable() for text in (*(models or ()), str(entry.get("key_file", "")))):
        raise WrongUse("A --model or --key-file has characters that cannot be written down.")
    path = _path(data)
    plan_entry(path, name, entry, "", environ)  # what is wrong is said before a key is asked for
    is_secret = key_file is None and key_env is None and not no_key
    plan = plan_entry(path, name, entry, _ask_key(common, name) if is_secret else "", environ)
    if plan.replaces:
        common.output.confirm(f"Change the provider {name} in {path}?", yes=yes)
    if not plan.is_there:
        write_entry(path, name, plan.entry)
    if common.output.as_json:
        common.output.json({**_facts(plan.provider), "changed": not plan.is_there})
        return
    done = "is there already" if plan.is_there else "is changed" if plan.replaces else "is added"
    common.output.say(f"{name} {done}. Try it: omium providers test {name}")
    if key_env is not None:
        common.output.say(f"The server must have {key_env} in its environment when it reads the file.")


@app.command("remove")
@for_this_machine
def remove_provider(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in providers.toml.")],
    data: Data = None,
    yes: Yes = False,
) -> None:
    """Remove a provider, with its sealed key, from providers.toml.

    Workflows that name it fail from now on.

    \b
    omium providers remove cloud --yes
    """
    from omium.server.builtin.provider_file import has_entry, write_entry

    path = _path(data)
    found = has_entry(path, name)
    if found:
        common.output.confirm(f"Remove the provider {name} from {path}?", yes=yes)
        write_entry(path, name, None)
    if common.output.as_json:
        common.output.json({"name": name, "removed": found})
    else:
        common.output.say(f"{name} is removed." if found else f"There is no provider {name} in {path}.")


def _ask_key(common: Common, name: str) -> str:
    """Return the key: asked for at a terminal, where an empty one is none, else from stdin."""
    if common.output.interactive:
        asked = typer.prompt(
            f"Key of {name} (empty: it takes none)", hide_input=True, default="", show_default=False, err=True
        )
        return str(asked).strip()
    key = sys.stdin.read().strip()
    if not key:
        raise WrongUse("The key is empty: give it on stdin, or say --no-key, --key-file or --key-env.")
    return key


def _path(data: Path | None) -> Path:
    from omium.server.builtin.providers import FILE_NAME

    return settings_of(data, None).data / FILE_NAME


def _read(data: Path | None) -> tuple[Path, list[Provider]]:
    from omium.server.builtin.providers import Providers

    path = _path(data)
    providers = Providers(path)
    providers.load()
    return path, providers.list_all()


def _facts(provider: Provider) -> dict[str, object]:
    return {
        "name": provider.name,
        "base_url": provider.base_url,
        "models": list(provider.models),
        "has_key": bool(provider.key),
        "timeout_s": provider.timeout_s,
        "max_tokens": provider.max_tokens,
    }
