"""Write omium/spec/workflow-spec-v0.json from the types; `--check` says whether it is current."""

import json
import sys
from pathlib import Path

from omium.spec.published import FILE_NAME, make_json_schema

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "omium" / "spec" / FILE_NAME


def make_files() -> dict[Path, str]:
    """Return what belongs into each file."""
    return {SCHEMA: json.dumps(make_json_schema(), indent=2, sort_keys=True) + "\n"}


def main() -> int:
    """Write the files, or with `--check` compare them."""
    stale = [
        path
        for path, text in make_files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not current: run python tools/generate_spec_reference.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(make_files()[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
