"""Which classes recorded values may name, and codecs for classes that are nobody's but an adapter's.

Owns the way from a class to its recorded name and back. Recorded data must never become code: a name is
looked up only among classes that were registered here or in modules that the process has imported already,
by plain dictionary look-ups that run no `__getattr__`; nothing is ever imported for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

TAG_PREFIX = "$:"  # {"$:decimal": "1.20"}: an object with one key that begins so is a tagged form

_TAG = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of one class travel: `to_json` gives something representable, `from_json` gets it back."""

    tag: str
    type: type
    to_json: Callable[[Any], object]
    from_json: Callable[[Any], object]
    subclasses: bool = False


class TypeRegistry:
    """Classes and codecs that one client or worker knows; there is no global registry."""

    def __init__(self) -> None:
        self._by_type: dict[type, Codec] = {}
        self._by_tag: dict[str, Codec] = {}
        self._with_subclasses: list[Codec] = []
        self._classes: dict[str, type] = {}
        self._names: dict[type, str] = {}
        self._modules: dict[str, str] = {}

    def register_codec(
        self,
        tag: str,
        type_: type,
        to_json: Callable[[Any], object],
        from_json: Callable[[Any], object],
        *,
        subclasses: bool = False,
    ) -> None:
        """Let values whose class is `type_` (or, with `subclasses`, derives from it) travel as `$:tag`.

        `tag` has a dot ("langchain.message"), so that it never meets one of Omium's own. The codec must
        give back an equal value of the same class. Raises ValueError for a bad tag and for one that is
        taken.
        """
        if _TAG.fullmatch(tag) is None:
            raise ValueError(f"{tag!r} is not a tag; use lower case with a dot, such as 'library.thing'.")
        codec = Codec(tag, type_, to_json, from_json, subclasses)
        if self._by_tag.setdefault(tag, codec) is not codec:
            raise ValueError(f"The tag {tag!r} is registered already; choose another.")
        self._by_type[type_] = codec
        if subclasses:
            self._with_subclasses.append(codec)

    def register_class(self, class_: type, name: str | None = None) -> None:
        """Let a dataclass, pydantic model, Enum or namedtuple be found by `name` ("module:qualname").

        Needed only for what a module does not hold under its own name, such as a class made in a function.
        """
        name = name or default_name(class_)
        self._classes[name] = class_
        self._names[class_] = name

    def alias_module(self, recorded: str, actual: str) -> None:
        """Look for classes that were recorded in module `recorded` in `actual` instead.

        For a script that ran as `__main__` and is now imported by a worker under its own name, or moved.
        """
        self._modules[recorded] = actual

    def find_codec(self, class_: type) -> Codec | None:
        """Return the codec for values of exactly `class_`, else the first that takes it as a subclass."""
        codec = self._by_type.get(class_)
        if codec is None and self._with_subclasses:
            codec = next((each for each in self._with_subclasses if issubclass(class_, each.type)), None)
        return codec

    def find_codec_by_tag(self, tag: str) -> Codec | None:
        """Return the codec that reads `$:tag`."""
        return self._by_tag.get(tag)

    def find_name(self, class_: type) -> str | None:
        """Return the name under which `find_class` finds exactly `class_`, or None if there is none."""
        name = self._names.get(class_) or default_name(class_)
        return name if self.find_class(name) is class_ else None

    def find_class(self, name: str) -> type | None:
        """Return the class called `name` ("module:qualname") if it is here already; never imports."""
        if (registered := self._classes.get(name)) is not None:
            return registered
        module_name, _, qualname = name.partition(":")
        module = sys.modules.get(self._modules.get(module_name, module_name))
        scope: Mapping[str, object] = vars(module) if isinstance(module, ModuleType) else {}
        found = scope.get(qualname)  # first as one key: pydantic keeps `Box[int]` like that
        if found is None:
            for part in qualname.split("."):
                found = scope.get(part)
                if not isinstance(found, type):
                    return None
                scope = vars(found)
        return found if isinstance(found, type) else None


def default_name(class_: type) -> str:
    """Return "module:qualname" of `class_`."""
    return f"{class_.__module__}:{class_.__qualname__}"


def is_tag_key(key: str) -> bool:
    """Say whether an object whose only key is `key` is a tagged form."""
    return key.startswith(TAG_PREFIX)
