"""Loading: from what a person types after `omium worker` to the workflows in it.

Owns the two forms of a target, "path.py:object" and "package.module:object", and what may be named: a
decorated workflow or handler, or a module whose workflows and handlers are all served. Only what the command
line names is ever imported; names that come from the server are looked up among what was found here.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from omium.errors import ConfigError, OmiumError
from omium.sdk.load_errors import NotInFile, NotLoaded, explain_import
from omium.sdk.registry import Workflow, find_workflow

MAIN = "__main__"


def load_target(target: str) -> tuple[ModuleType, object]:
    """Import the module of `target`; return it with the object that is named, itself if none is.

    Raises `ConfigError` with the remedy when there is no such file, module or object; `NotLoaded` where the
    module's own code ends its import, `NotInFile` where it has no such name.
    """
    place, name = split_target(target)
    module = _load_file(Path(place)) if place.endswith(".py") or "/" in place else _load_module(place)
    found: object = module
    for part in filter(None, name.split(".")):
        if not hasattr(found, part):
            raise NotInFile(place, name, module, sorted(find_workflows(module)))
        found = getattr(found, part)
    return module, found


def split_target(target: str) -> tuple[str, str]:
    """Return the module's path or name, and the object's, empty where none is named."""
    place, _, name = target.partition(":") if not _is_drive(target) else (target, "", "")
    return place, name


def normal_target(target: str) -> str:
    """Return `target` as documents name it: a path below this folder is said from here, with slashes."""
    place, name = split_target(target)
    if not (place.endswith(".py") or "/" in place):
        return target
    path = Path(os.path.normpath(place))
    with contextlib.suppress(ValueError):
        path = path.absolute().relative_to(Path.cwd())
    return f"{path.as_posix()}:{name}" if name else path.as_posix()


def find_workflows(found: object) -> dict[str, Workflow]:
    """Return the workflows by name that `found` is, or holds if it's a module."""
    single = find_workflow(found)
    if single is not None:
        return {single.name: single}
    if not isinstance(found, ModuleType):
        return {}
    workflows = (find_workflow(value) for value in vars(found).values())
    return {workflow.name: workflow for workflow in workflows if workflow is not None}


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"There is no file {path}; give the path of the script that holds the workflow.")
    name = path.stem if path.stem.isidentifier() else "omium_target"
    known = sys.modules.get(name)
    file = getattr(known, "__file__", None)
    if known is not None and file is not None and Path(file).absolute() == path.absolute():
        return known
    if known is not None:  # another module of that name is imported already: do not replace it
        name = f"omium_target_{name}"
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python path.py` has it, so that the script finds its neighbours
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _import_explained(str(path)):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _load_module(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with _import_explained(name):
            return importlib.import_module(name)
    except NotLoaded as error:
        missing = error.raised.name if isinstance(error.raised, ModuleNotFoundError) else None
        if missing is not None and (name == missing or name.startswith(f"{missing}.")):
            raise ConfigError(
                f"There is no module {name!r} here; give a path such as ./agents.py:report, "
                "or start in the folder that holds the package."
            ) from error.raised
        raise


@contextlib.contextmanager
def _import_explained(place: str) -> Iterator[None]:
    """Raise `NotLoaded` for what the module's own code raises; Omium's own errors have their sentence."""
    try:
        yield
    except OmiumError:
        raise
    except (Exception, SystemExit) as error:  # a boundary: anything at all may come out of the user's code
        raise explain_import(place, error) from error


def _is_drive(target: str) -> bool:
    return len(target) > 2 and target[1:3] == ":\\"
