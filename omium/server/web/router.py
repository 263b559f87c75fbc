"""Router: from method and path to the declared endpoint, in a handful of dict look-ups.

A path is split once and walked through a tree of segments, so the cost grows with the length of the path and
not with the number of endpoints (docs/decisions says what was measured). Works on the raw path: a parameter
may hold an encoded slash, as step keys do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from omium.errors import MethodNotAllowed, NotFound
from omium.server.web.declared import list_problems
from omium.server.web.endpoint import Endpoint

PARAMETER_CHARACTERS_MAX = 2_048
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """An endpoint with what every request to it needs, worked out once."""

    endpoint: Endpoint
    parameters: tuple[str, ...]
    label: str
    codes: frozenset[str]  # of the problems that it may answer


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Router:
    """The tree of all endpoints. Raises ValueError when two of them want the same address."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._root = _Node()
        for endpoint in self.endpoints:
            self._add(endpoint)

    def _add(self, endpoint: Endpoint) -> None:
        node = self._root
        for segment in endpoint.path[1:].split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, _Node())
        label = f"{endpoint.method} {endpoint.path}"
        if endpoint.method in node.routes:
            raise ValueError(f"{label} is declared twice")
        node.routes[endpoint.method] = Route(
            endpoint,
            endpoint.path_parameters,
            label,
            frozenset(problem.code for problem in list_problems(endpoint)),
        )

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and its decoded parameters; raises `NotFound` or `MethodNotAllowed`.

        A fixed segment wins over a parameter. HEAD is answered by GET's endpoint.
        """
        node, values = self._root, []
        for segment in raw_path[1:].split("/"):
            child = node.fixed.get(segment)
            if child is None:
                child = node.parameter
                if child is None or not segment:
                    raise NotFound("There is no such address; /docs/api and /openapi.json list them.")
                values.append(segment)
            node = child
        if not node.routes:
            raise NotFound("There is no such address; /docs/api and /openapi.json list them.")
        route = node.routes.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = sorted(node.routes)
            raise MethodNotAllowed(f"This address takes {', '.join(allowed)}.", allowed=list(allowed))
        if not values:
            return route, {}
        return route, dict(zip(route.parameters, map(_decode, values), strict=True))


def _decode(segment: str) -> str:
    """Return a parameter decoded; what no id or name can be is `NotFound`, before any database sees it."""
    if "%" in segment:
        try:
            segment = unquote_to_bytes(segment).decode()
        except UnicodeDecodeError as error:
            raise NotFound from error
    if len(segment) > PARAMETER_CHARACTERS_MAX or _CONTROL.search(segment):
        raise NotFound
    return segment
