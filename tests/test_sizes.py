"""No file over 250 lines and no function over 40, unless a comment `# Size: …` beside it says why. No line
over 110, of Python by the linter, of anything else here.

Tests are lists of cases, and migrations frozen text: they may be longer.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("app", "client/src", "benchmarks", "docs")
FILES = sorted({ROOT / "dev.py", *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))})
MOST_LINES = 250
MOST_OF_A_FUNCTION = 40
REASON = "# Size: "
WIDEST = 110
WRITTEN = {
    *(".md", ".html", ".css", ".js", ".mjs", ".sql"),
    *(".toml", ".yaml", ".yml", ".conf", ".service", ".socket"),
}


def too_long(file: Path) -> Iterator[str]:
    """Yield what is too long in a file and has no reason beside it: at its head, or above or in the
    function's first line.
    """
    text = file.read_text("utf-8")
    lines = text.splitlines()
    if len(lines) > MOST_LINES and not any(line.startswith(REASON) for line in lines):
        yield f"{file.relative_to(ROOT)}: {len(lines)} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            beside = lines[max(0, node.lineno - 2 - len(node.decorator_list)) : node.body[0].lineno]
            if length > MOST_OF_A_FUNCTION and not any(REASON in line for line in beside):
                yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_sizes(file: Path) -> None:
    assert list(too_long(file)) == []


def too_wide(file: Path) -> Iterator[str]:
    """Yield the lines that are too wide, but for tables, links, and what is to be copied."""
    copied = False
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        copied ^= file.suffix == ".md" and line.lstrip().startswith("```")
        copied |= "<pre" in line
        unbreakable = copied or line.lstrip().startswith("|") or "](" in line or "://" in line
        copied &= "</pre" not in line
        if len(line) > WIDEST and not unbreakable:
            yield f"{file.relative_to(ROOT)}:{number}: {len(line)} columns"


def test_lines() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.splitlines()]
    kept = [file for file in files if file.suffix in WRITTEN or file.name == "Dockerfile"]
    kept = [file for file in kept if not {"data", "swagger_ui", "snapshots"} & set(file.parts)]
    assert len(kept) > 100
    assert [line for file in kept for line in too_wide(file)] == []
