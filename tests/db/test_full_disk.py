import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("full_disk.py")
NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]


def can_mount():
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*NAMESPACE, "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a disk of one's own needs mount namespaces")
def test_a_full_disk_is_told_reads_go_on_and_it_recovers_without_a_restart(tmp_path, migrations):
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=6m none "$1" && exec "$2" "$3" "$1" "$4"'
    ran = subprocess.run(
        [*NAMESPACE, script, "sh", disk, sys.executable, PROGRAM, migrations],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "done\n"
