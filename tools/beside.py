"""Omium beside each framework: tells whether their newest versions and ours fit into one environment.

The SDK lives where the user's agents live, and frameworks pin what they need. This resolves (and installs
nothing) our dependencies together with each framework, and fails when they exclude each other. Needs a
package index; `make beside` runs it.
"""

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor

from lock import ROOT, find_uv

# The lower bound keeps the resolver from "fitting" an old framework in.
FRAMEWORKS = (
    "autogen-agentchat>=0.7",
    "crewai>=1.15",
    "google-adk>=2",
    "haystack-ai>=3",
    "langgraph>=1.2",
    "llama-index-workflows>=2.26",
    "openai-agents>=0.24",
    "pydantic-ai-slim>=2",
    "semantic-kernel>=1.40",
    "sematic>=0.41",
    "strands-agents>=1.62",
)
PYTHON = "3.11"


def read_dependencies() -> list[str]:
    """Return what the package itself asks for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["project"]["dependencies"])


def resolve_beside(framework: str) -> tuple[str, str]:
    """Return `framework` and why it does not fit, empty if it does."""
    command = [find_uv(), "pip", "compile", "-", "--quiet", "--python-version", PYTHON, "--no-header"]
    requirements = "\n".join([*read_dependencies(), framework])
    done = subprocess.run(command, input=requirements, capture_output=True, text=True, check=False)
    return framework, "" if done.returncode == 0 else done.stderr


def main() -> None:
    """Try every framework and say which do not fit."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = dict(pool.map(resolve_beside, FRAMEWORKS))
    for framework, reason in results.items():
        print(f"{framework:32} {'does not fit' if reason else 'fits'}\n{reason}".rstrip())
    if any(results.values()):
        sys.exit("Widen our ranges in pyproject.toml, or document what does not go together.")


if __name__ == "__main__":
    main()
