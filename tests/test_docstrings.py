"""Every function that gives something back says so: "Return …", or "Yield …".

But for validators, which refuse, and checks of `doctor`, which state what holds.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "client" / "src").rglob("*.py")])
SAID = ("Return", "return", "Yield")
NOTHING = {"None", "Never", "NoReturn"}
# Whose caller does not look for what comes back.
FORWARDING = {"__getattr__"}
DECORATED = ("property", "contextmanager", "validator", "overload")
FINDINGS = {"Finding", "Iterator[Finding]"}


def silent(file: Path) -> Iterator[str]:
    """Yield the functions of a file whose docstrings do not say what they return."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.returns is None:
            continue
        result = ast.unparse(node.returns)
        decorators = " ".join(map(ast.unparse, node.decorator_list))
        if (
            node.name in FORWARDING
            or result in NOTHING | FINDINGS
            or any(word in decorators for word in DECORATED)
        ):
            continue
        docstring = ast.get_docstring(node)
        if docstring and not any(word in docstring for word in SAID):
            yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"


def test_docstrings_say_what_is_returned() -> None:
    assert len(FILES) > 200
    assert [name for file in FILES for name in silent(file)] == []
