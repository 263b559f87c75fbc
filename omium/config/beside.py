"""The other distribution: a hosted product's client is called `omium` on the public index.

Both install a package `omium` into the same folder, so whichever came last has overwritten the other's files.
Owns finding that out, cheaply, and saying it once.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterable
from typing import Final

_OTHER: Final = re.compile(r"omium(?:-[^-]+)?\.(?:dist|egg)-info", re.IGNORECASE)  # ours is omium_os-…


def find_other_distribution(folders: Iterable[str] | None = None) -> str | None:
    """Return the path of the metadata of an installed distribution called `omium`, None if there is none.

    Looks at names only: `importlib.metadata` would take as long as all of `import omium`.
    """
    for folder in sys.path if folders is None else folders:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208  # names are enough, for hundreds of packages
        except OSError:
            continue
        for name in names:
            if _OTHER.fullmatch(name):
                return os.path.join(folder, name)  # noqa: PTH118  # as above
    return None


def warn_about_other_distribution(folders: Iterable[str] | None = None) -> None:
    """Warn if both distributions are installed; Python shows a warning of one place once per process."""
    found = find_other_distribution(folders)
    if found is not None:
        warnings.warn(
            f"Another distribution called `omium` is installed ({found}) in the same package as `omium-os`;"
            " one has overwritten files of the other. Run: pip uninstall omium; then"
            " pip install --force-reinstall --no-deps omium-os",
            stacklevel=2,
        )
