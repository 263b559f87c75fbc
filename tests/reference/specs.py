"""Random specs, and the script that says what their nodes do.

    spec, catalog = random_workflow(random.Random(1))       always valid: loops in loops, joins, maps ...
    tangle(random.Random(1))                                any edges between some nodes: valid or not
    workflows()                                             the first, as a strategy for hypothesis

Built from the inside of loops outwards, so that loops have one header each and units are ordered. What nodes
do follows from a seed, the path and the inputs: `Script`. Semantics: tests/reference_engine.py.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.reference.scope import Done, Fails
from tests.reference.static import SpecDict, Static

SLOTS = ("a", "b", "c", "d")
"""Each node's output says yes or no in these places, for conditions to read."""
TELLS = {"function", "decision"}
"""The types whose output says something in the slots."""


@dataclass(frozen=True)
class Shape:
    """How large, how wild."""

    units_max: int = 4
    depth_max: int = 2
    compounds: bool = True
    """Maps and subworkflows."""
    waits: bool = True
    risk: float = 0.15
    """How often a node may fail for which an edge is there."""
    frail: float = 0.04
    """How often a node may fail for which none is."""
    effects: float = 0.0
    """How often a function changes something outside: once, or so that its receiver knows a repeat."""


@dataclass
class Script:
    """What the outside does, for one seed."""

    seed: int

    def draw(self, *about: Any) -> int:
        """Return a number that depends on nothing but the seed and `about`."""
        written = json.dumps([self.seed, *about], sort_keys=True).encode()
        return int.from_bytes(hashlib.sha256(written).digest()[:8], "big")

    def act(self, path: str, node: SpecDict, inputs: Any) -> Done | Fails:
        """Run a node's function: a digest of all it knows, and yes or no for each slot."""
        kind = node["type"]
        if kind == "wait":
            return Done(None)
        drawn = self.draw(path, normal(inputs))
        chosen = {slot: bool(drawn >> number & 1) for number, slot in enumerate(SLOTS)}
        if node["id"].startswith(("risky", "frail")) and drawn >> 8 & 7 < 3:
            return Fails("refused-" + "".join(slot for slot in SLOTS if chosen[slot]))
        if kind == "decision":
            return Done(inputs)
        return Done({"value": f"{drawn:016x}"[:8], "go": chosen})

    def holds(self, expression: str, value: Any) -> bool | None:
        """Evaluate one of the expressions that are written here."""
        if read := re.fullmatch(r'error\.code\.endsWith\("(\w)"\)', expression):
            return None if "error" not in value else str(value["error"]["code"]).endswith(read[1])
        found: Any = value
        for name in expression.split("."):
            if not isinstance(found, dict) or name not in found:
                return None
            found = found[name]
        return found if isinstance(found, bool) else None


@dataclass
class Unit:
    """A node, or a loop: then the first of `units` holds its header."""

    node: str | None = None
    units: list[Unit] = field(default_factory=list)

    @property
    def header(self) -> str:
        return self.node if self.node is not None else self.units[0].header

    @property
    def members(self) -> list[str]:
        if self.node is not None:
            return [self.node]
        return [node for unit in self.units for node in unit.members]


class Builder:
    """Makes one document or body."""

    def __init__(self, chance: random.Random, shape: Shape, depth: int = 0) -> None:
        self.chance, self.shape, self.depth = chance, shape, depth
        self.nodes: dict[str, SpecDict] = {}
        self.edges: list[SpecDict] = []
        self.loops: dict[str, SpecDict] = {}
        self.catalog: dict[str, SpecDict] = {}

    def often(self, share: float) -> bool:
        return self.chance.random() < share

    def build(self, given: list[str]) -> SpecDict:
        """Return a document's nodes, edges, loops and outputs; `given` are references that it may read."""
        count = (
            self.chance.randint(2, self.shape.units_max + 1) if self.depth == 0 else self.chance.randint(1, 3)
        )
        units = [self.unit(0) for _ in range(count)]
        self.join_up(units, is_root=True)
        self.chance.shuffle(self.edges)
        spec: SpecDict = {"nodes": list(self.nodes.values()), "edges": self.edges}
        if self.loops:
            spec["loops"] = self.loops
        for node in spec["nodes"]:
            self.dress(node, spec, given)
        spec["edges"] = drop_repeats(self.edges)
        static = Static(spec)
        assert not static.problems, static.problems
        for name, node in self.nodes.items():
            self.fill_inputs(node, sorted(static.readable(name)), static, given)
        spec["outputs"] = {
            name: self.reference(name, default=f"no {name}") for name in self.nodes if self.often(0.6)
        }
        return spec

    def unit(self, depth: int) -> Unit:
        if depth < self.shape.depth_max and self.often(0.25):
            loop = Unit(units=[Unit(node=self.add_node())])
            loop.units += [self.unit(depth + 1) for _ in range(self.chance.randint(0, 2))]
            self.join_up(loop.units, is_root=False)
            for unit in loop.units:  # who leads nowhere else leads back, or would not be in the loop
                inside, members = set(unit.members), set(loop.members)
                onward = any(
                    edge["from"] in inside and edge["to"] in members - inside and "kind" not in edge
                    for edge in self.edges
                )
                if not onward or self.often(0.2):
                    self.add_edge(self.chance.choice(unit.members), loop.header, back=True)
            if self.often(0.9):
                self.loops[loop.header] = {"max_iterations": self.chance.randint(2, 5)}
            return loop
        return Unit(node=self.add_node())

    def add_node(self) -> str:
        kinds = ["function"] * 12 + ["decision"]
        kinds += ["wait"] * self.shape.waits
        if self.shape.compounds and self.depth < 2:
            kinds += ["map", "subworkflow"]
        kind = self.chance.choice(kinds)
        stem = "n" if kind != "function" else "frail" if self.often(self.shape.frail) else "n"
        if kind in ("function", "map", "subworkflow") and self.often(self.shape.risk):
            stem = "risky"
        name = f"{stem}{len(self.nodes)}"
        effect = self.chance.choice((True, "idempotent")) if self.often(self.shape.effects) else False
        if kind == "function" and effect:
            name += "same" if effect == "idempotent" else "once"
        self.nodes[name] = {"id": name, "type": kind}
        if kind == "function" and effect:
            self.nodes[name]["effect"] = effect
        return name

    def join_up(self, units: list[Unit], *, is_root: bool) -> None:
        """Connect units forwards, so that every one but the first is reached."""
        starts = [units[0]] * is_root
        for number, unit in enumerate(units[1:], start=1):
            starts += [unit] * (is_root and self.often(0.15))
            if unit in starts and self.often(0.5):
                continue
            for _ in range(self.chance.choice((1, 1, 1, 2, 2, 3))):
                source = self.chance.choice(self.chance.choice(units[:number]).members)
                self.add_edge(source, unit.header)
            if self.often(0.2):
                source = self.chance.choice(self.chance.choice(units[:number]).members)
                self.add_edge(source, self.chance.choice(unit.members), kind="context")
        entered = {edge["to"] for edge in self.edges if edge.get("kind") != "context"}
        if any(start.header in entered for start in starts):  # it does not show that they are starts
            for start in starts:
                self.nodes[start.header]["start"] = True

    def add_edge(self, source: str, target: str, *, kind: str = "control", back: bool = False) -> None:
        edge: SpecDict = {"id": f"e{len(self.edges)}", "from": source, "to": target}
        is_decision = self.nodes[source]["type"] == "decision"
        if kind == "context":
            edge["kind"] = kind
        elif source.startswith("risky") and self.often(0.5):
            edge["on"] = self.chance.choice(("failure", "failure", "always"))
        slot = self.chance.choice(SLOTS)
        if edge.get("on") == "failure":
            if self.often(0.4):
                edge["when"] = {"expr": f'error.code.endsWith("{slot}")'}
        elif edge.get("on") is None and kind == "control" and self.nodes[source]["type"] in TELLS:
            if is_decision or back or self.often(0.35):
                edge["when"] = {"expr": f"output.go.{slot}"}
            elif self.often(0.02):
                edge["when"] = {"expr": "output.go.missing"}
        self.edges.append(edge)

    def dress(self, node: SpecDict, spec: SpecDict, given: list[str]) -> None:
        """Give a node what its type needs."""
        name, kind = node["id"], node["type"]
        leaving = [e for e in spec["edges"] if e["from"] == name and e.get("kind") != "context"]
        if kind == "decision" and not leaving:
            kind = node["type"] = "function"
        entering = [e for e in spec["edges"] if e["to"] == name and e.get("kind") != "context"]
        if len(entering) > 1 and self.often(0.6):
            node["join"] = self.chance.choice(("all", "all_fired", "any", "any"))
        if kind == "function":
            node["parameters"] = {"handler": "work"}
        elif kind == "wait":
            node["parameters"] = {"seconds": 1}
        elif kind == "decision" and leaving and self.often(0.8):
            fallback = self.chance.choice(leaving)
            fallback.pop("when", None)
            fallback["default"] = True
        elif kind == "map":
            items: Any = [self.chance.randint(0, 9) for _ in range(self.chance.choice((0, 1, 2, 3, 5)))]
            node["parameters"] = {
                "items": items,
                "concurrency": self.chance.randint(1, 3),
                "on_item_failure": self.chance.choice(("fail_fast", "collect")),
            }
            node["body"] = self.inner().build(["item", "index"])
            node["body"]["inputs"] = {}
        elif kind == "subworkflow":
            inner = self.inner()
            built = inner.build([])
            self.catalog |= inner.catalog
            called = f"child{len(self.catalog)}-{self.chance.randrange(10**6)}"
            self.catalog[called] = {"omium": "0", "name": called, **built}
            node["workflow"] = called

    def inner(self) -> Builder:
        inner = Builder(self.chance, self.shape, self.depth + 1)
        inner.catalog = self.catalog
        return inner

    def reference(self, name: str, default: Any) -> SpecDict:
        kind = self.nodes[name]["type"]
        path = f"nodes.{name}.output" + (".value" if kind == "function" else "")
        return {"$from": path, "default": default}

    def fill_inputs(self, node: SpecDict, readable: list[str], static: Static, given: list[str]) -> None:
        """Let a node read some of what it may."""
        inputs: SpecDict = {}
        for number, name in enumerate(self.chance.sample(readable, min(len(readable), 3))):
            inputs[f"of_{number}"] = self.reference(name, default=None)
            if self.often(0.1) and name not in node["id"]:
                del inputs[f"of_{number}"]["default"]
        if name := self.chance.choice([*given, ""]):
            inputs["given"] = {"$from": name}
        loop = static.innermost(node["id"])
        if loop and self.often(0.5):
            again = self.chance.choice(sorted(static.regions[loop].members))
            reference = self.reference(again, default="first")
            inputs["before"] = reference | {
                "$from": reference["$from"].replace("output", "previous.output", 1)
            }
        if node.get("join") == "any" and loop != node["id"] and self.often(0.5):
            inputs["by"] = {"$from": "trigger.node", "default": "START"}
        if node["type"] == "decision":
            inputs = {"go": {slot: self.often(0.5) for slot in SLOTS}}
            sources = [n for n in readable if self.nodes[n]["type"] == "function"]
            if sources:
                slot = self.chance.choice(SLOTS)
                inputs["go"][slot] = {"$from": f"nodes.{sources[0]}.output.go.{slot}", "default": True}
        if inputs:
            node["inputs"] = inputs


def random_workflow(chance: random.Random, shape: Shape = Shape()) -> tuple[SpecDict, dict[str, SpecDict]]:
    """Return a valid spec and the specs that it calls, by name."""
    builder = Builder(chance, shape)
    built = builder.build(["inputs.topic"])
    spec = {"omium": "0", "name": "tried", **built, "inputs": {"type": "object"}}
    return spec, builder.catalog


def tangle(chance: random.Random, nodes_max: int = 6) -> SpecDict:
    """Return functions with any edges between them, which are a valid graph or not."""
    names = [f"n{number}" for number in range(chance.randint(1, nodes_max))]
    edges: list[SpecDict] = []
    for number in range(chance.randint(0, len(names) * 2)):
        edge: SpecDict = {"id": f"e{number}", "from": chance.choice(names), "to": chance.choice(names)}
        if chance.random() < 0.15:
            edge["kind"] = "context"
        edges.append(edge)
    edges = drop_repeats(edges)
    nodes = [{"id": name, "type": "function", "parameters": {"handler": "work"}} for name in names]
    for node in nodes:
        if chance.random() < 0.08:
            node["start"] = True
        if chance.random() < 0.3:
            node["join"] = chance.choice(("all", "all_fired", "any"))
    return {"omium": "0", "name": "tangle", "nodes": nodes, "edges": edges}


def drop_repeats(edges: list[SpecDict]) -> list[SpecDict]:
    """Return the edges without those that say the same as an earlier one."""
    said = {json.dumps({**edge, "id": ""}, sort_keys=True): edge for edge in reversed(edges)}
    return [edge for edge in edges if edge in said.values()]


def workflows(shape: Shape = Shape()) -> st.SearchStrategy[tuple[SpecDict, dict[str, SpecDict]]]:
    """Return the strategy: valid specs with what they call."""
    return st.randoms(use_true_random=False).map(lambda chance: random_workflow(chance, shape))


def normal(value: Any) -> Any:
    """Return a value without what an error says beyond being one; of two in an item either may be told."""
    if isinstance(value, dict):
        return {name: "error" if name == "error" else normal(each) for name, each in value.items()}
    return [normal(each) for each in value] if isinstance(value, list) else value
