"""No attribute is awaited and then read again: while one task waits, another puts a new value in its place.

24 readers of `/readyz` got 500s that way. Take the value into a local name first, and await and read that.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
WAITS = {"wait", "wait_for", "shield", "gather", "as_completed"}


Shared = ast.Attribute | ast.Subscript  # what another task may put something else into


def is_shared(node: ast.AST) -> bool:
    """Return whether a node is an attribute, or an item of one."""
    return isinstance(node, ast.Attribute) or (isinstance(node, ast.Subscript) and is_shared(node.value))


def attributes_within(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the attributes whose values a node reads, and items of them, but for functions that are
    called and what these belong to."""
    if isinstance(node, ast.Call):
        for part in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from attributes_within(part)
    elif is_shared(node):
        yield node
    else:
        for child in ast.iter_child_nodes(node):
            yield from attributes_within(child)


def awaited_attributes(node: ast.Await) -> Iterator[ast.AST]:
    """Yield the attributes whose own values are awaited: alone, or in what waits for several."""
    value = node.value
    if is_shared(value):
        yield value
    elif isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        if name in WAITS:
            yield from attributes_within(value)


def read_later(function: ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield what a function awaits and reads again behind that, with the line."""
    nodes = list(ast.walk(function))
    reads = [node for node in nodes if isinstance(node, Shared) and isinstance(node.ctx, ast.Load)]
    for waiting in (node for node in nodes if isinstance(node, ast.Await)):
        awaited = {ast.unparse(attribute) for attribute in awaited_attributes(waiting)}
        end = (waiting.end_lineno or 0, waiting.end_col_offset or 0)
        for read in reads:
            if (read.lineno, read.col_offset) >= end and ast.unparse(read) in awaited:
                yield f"{read.lineno}: {ast.unparse(read)} was awaited above"


def added_later(function: ast.AsyncFunctionDef) -> Iterator[str]:
    """Yield what a function reads, awaits something else, and writes: what was written meanwhile is lost."""
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign) and is_shared(node.target):
            own = True
        elif isinstance(node, ast.Assign):
            targets = {ast.unparse(target) for target in node.targets if is_shared(target)}
            own = any(ast.unparse(inner) in targets for inner in ast.walk(node.value) if is_shared(inner))
        else:
            continue
        if own and any(isinstance(inner, ast.Await) for inner in ast.walk(node)):
            yield f"{node.lineno}: what is added to is read before the await"


def faults(source: str) -> list[str]:
    """Return what is wrong with a module, with its lines."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AsyncFunctionDef)]
    return sorted({fault for each in functions for fault in (*read_later(each), *added_later(each))})


def test_no_attribute_is_awaited_and_read_again() -> None:
    found = {str(path): faults(path.read_text("utf-8")) for path in APP.rglob("*.py")}
    assert len(found) > 100
    assert {path: lines for path, lines in found.items() if lines} == {}


BAD = {
    "wait, then result": "await asyncio.wait({self.task}, timeout=1)\n    return self.task.result()",
    "await, then read": "await self.task\n    print(self.task)",
    "shielded": "await asyncio.shield(self.task)\n    if self.task.done(): pass",
    "of another object": "await asyncio.wait([other.task])\n    other.task.cancel()",
    "in a loop": "for _ in range(2):\n        done, _ = await wait({self.a, self.b})\n        "
    "self.b.cancel()",
    "an item": "await self.tasks[other]\n    return self.tasks[other].result()",
    "added to what was read before": "self.names |= await load()",
    "added to an item": "self.counts[other] += await load()",
    "added, written out": "self.names = self.names | await load()",
}
GOOD = {
    "a local name": "task = self.task\n    await asyncio.wait({task})\n    return task.result()",
    "read before": "self.task.cancel()\n    await asyncio.wait({self.task})",
    "a method": "await self.read()\n    await self.read()",
    "written after": "await self.task\n    self.task = None",
    "another item": "await self.tasks[other]\n    return self.tasks[self]",
    "written anew": "self.names = await load(other.names)",
    "another attribute": "await self.task\n    return self.value",
    "an argument of what is no wait": "await self.on_thread(self.oldest)\n    self.oldest()",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    assert faults(f"async def f(self, other):\n    {BAD[name]}\n")


@pytest.mark.parametrize("name", GOOD)
def test_what_is_not(name: str) -> None:
    assert faults(f"async def f(self, other):\n    {GOOD[name]}\n") == []
