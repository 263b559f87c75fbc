"""What people install: the built wheel carries every file of the package, data beside the modules too."""

import subprocess
import sys
import zipfile

import pytest

from tests.house import tree


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_a_wheel_carries_every_file_of_the_package(wheel):
    tracked = [
        name.as_posix()
        for path in tree.list_tracked_files()
        if (name := path.relative_to(tree.ROOT)).parts[0] == "omium"
    ]

    assert [name for name in tracked if name not in wheel.namelist()] == []


def test_a_wheel_carries_the_published_schema_as_it_is_here(wheel):
    name = "omium/spec/workflow-spec-v0.json"

    assert wheel.read(name) == (tree.ROOT / name).read_bytes()


def test_a_wheel_carries_the_documentation_but_not_the_decisions(wheel):
    pages = {path.name for path in (tree.ROOT / "docs").glob("*.md")}
    carried = {name for name in wheel.namelist() if name.startswith(("omium/manual/docs/", "docs/"))}

    assert carried == {f"omium/manual/docs/{name}" for name in pages}
