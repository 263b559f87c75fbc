"""Lock files: requirements/*.txt, every dependency pinned with the hashes of its files.

Owns what goes into which file, and how to tell offline that a file still belongs to pyproject.toml: each file
carries a digest of the requirements that it was made from. Resolving is uv's work, installing is pip's. The
reasons are in docs/decisions/002-locked-requirements.md.

    python tools/lock.py            resolve and write all files (needs a package index)
    python tools/lock.py NAME ...   only these
    python tools/lock.py --check    compare digests only (needs nothing)
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"


@dataclass(frozen=True, slots=True)
class LockFile:
    """One file: the parts of pyproject.toml that it pins.

    Without `with_dependencies` their own dependencies stay out. With `lowest` the package's own dependencies
    are the oldest that pyproject.toml allows, and the groups' the same as in the first file. `apart`: it is
    installed into an environment of its own, so the first file does not constrain it. `further` narrows what
    pyproject.toml asks for.
    """

    name: str
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    with_project: bool = True
    with_dependencies: bool = True
    lowest: bool = False
    apart: bool = False
    further: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return FOLDER / f"{self.name}.txt"


# The first file holds the most and constrains the others, so that all can be installed into one environment.
LOCK_FILES = (
    LockFile("dev", extras=("postgres", "langgraph", "stripe"), groups=("build", "test", "graphs", "check")),
    LockFile("base", extras=("postgres",)),
    LockFile("demo", groups=("build", "demo")),
    LockFile(
        "lowest",
        extras=("postgres", "langgraph", "stripe"),
        groups=("build", "test", "check"),
        lowest=True,
    ),
    LockFile("lock", groups=("lock",), with_project=False),
    LockFile("model", groups=("model",), with_project=False, with_dependencies=False),
    LockFile("peers", groups=("peers",), with_project=False, apart=True),
    LockFile("prices", groups=("prices",), with_project=False, apart=True),
    LockFile("crewai", extras=("postgres", "crewai"), groups=("build", "test"), apart=True),
    LockFile("sematic", extras=("postgres", "sematic"), groups=("build", "test"), apart=True),
    LockFile(
        "frameworks",
        extras=("postgres", "openai-agents", "semantic-kernel", "haystack", "llama-index"),
        groups=("build", "test", "models"),
        apart=True,
    ),
    LockFile("otel", extras=("postgres",), groups=("build", "test", "otel"), apart=True),
    # The oldest CrewAI that pyproject.toml allows, beside today's versions of everything that it leaves open.
    LockFile(
        "crewai-1.15.0",
        extras=("postgres", "crewai"),
        groups=("build", "test"),
        apart=True,
        further=("crewai==1.15.0",),
    ),
    # The older lines of a framework, each at its newest; dev and lowest hold the two ends.
    *(
        LockFile(
            f"langgraph-{line}",
            extras=("postgres", "langgraph"),
            groups=("build", "test", "graphs"),
            apart=True,
            further=(f"langgraph=={line}.*",),
        )
        for line in ("1.0", "1.1")
    ),
)


def read_requirements(lock_file: LockFile) -> list[str]:
    """Return what pyproject.toml asks for in `lock_file`'s parts, sorted."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    project = pyproject["project"]
    requirements = [*(project["dependencies"] if lock_file.with_project else []), *lock_file.further]
    for extra in lock_file.extras:
        requirements += project["optional-dependencies"][extra]
    for group in lock_file.groups:
        requirements += pyproject["dependency-groups"][group]
    return sorted(set(requirements))


def compute_digest(lock_file: LockFile) -> str:
    """Return the digest that tells whether `lock_file` was made from today's requirements."""
    return hashlib.sha256("\n".join(read_requirements(lock_file)).encode()).hexdigest()[:16]


def is_current(lock_file: LockFile) -> bool:
    """Tell, without a network, whether the file on disk was made from today's requirements."""
    return (
        lock_file.path.exists() and f"# inputs: {compute_digest(lock_file)}\n" in lock_file.path.read_text()
    )


def resolve(lock_file: LockFile, constraint: Path | None) -> str:
    """Return the file's pinned lines for every platform and Python from 3.11 on."""
    requirements = read_requirements(lock_file)
    command = [
        find_uv(), "pip", "compile", "-", "--quiet", "--universal", "--python-version", "3.11",
        "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links",
    ]  # fmt: skip
    if not lock_file.with_dependencies:
        command.append("--no-deps")
    if lock_file.lowest:
        command += ["--resolution", "lowest-direct"]
        tools = read_requirements(LockFile("tools", groups=lock_file.groups, with_project=False))
        requirements = [line for line in requirements if line not in tools] + pin_as_in(LOCK_FILES[0], tools)
    elif constraint is not None:
        command += ["--constraint", str(constraint)]
    done = subprocess.run(command, input="\n".join(requirements), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"uv could not resolve requirements/{lock_file.name}.txt:\n{done.stderr}")
    return done.stdout


def pin_as_in(lock_file: LockFile, requirements: list[str]) -> list[str]:
    """Return `requirements` pinned to the versions in `lock_file`."""
    pinned = dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", lock_file.path.read_text()))
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in requirements]
    return [f"{name}=={pinned[name]}" for name in names]


def find_uv() -> str:
    """Return the path of uv, beside this Python or on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("uv is missing: run `make lock` or `make beside`, which install it into .venv.")
    return found


def write(names: Sequence[str]) -> None:
    """Resolve the files of these names anew, or every one, and write them."""
    FOLDER.mkdir(exist_ok=True)
    for lock_file in LOCK_FILES:
        if names and lock_file.name not in names:
            continue
        constraint = None if lock_file is LOCK_FILES[0] or lock_file.apart else LOCK_FILES[0].path
        pinned = resolve(lock_file, constraint)
        head = '# Written by "make lock" from pyproject.toml; do not edit.\n'
        lock_file.path.write_text(f"{head}# inputs: {compute_digest(lock_file)}\n{pinned}")
        print(f"requirements/{lock_file.name}.txt: {pinned.count('==')} packages")


def main() -> None:
    """Write the lock files, or with --check compare them with pyproject.toml."""
    parser = argparse.ArgumentParser(description="Write or check the lock files in requirements/.")
    parser.add_argument("--check", action="store_true", help="only compare with pyproject.toml, offline")
    known = [lock_file.name for lock_file in LOCK_FILES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; else all")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if not arguments.check:
        write(arguments.names)
        return
    stale = [lock_file.name for lock_file in LOCK_FILES if not is_current(lock_file)]
    if stale:
        sys.exit(f"Not made from today's pyproject.toml: requirements/{', '.join(stale)}. Run `make lock`.")
    print("The lock files are current.")


if __name__ == "__main__":
    main()
