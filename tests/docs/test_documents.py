"""What README and `docs/` name exists: paths, links, settings, commands, endpoints, columns.

A document that names what is gone sends its reader on an errand. Names stand in backquotes; a
new kind of name needs a rule here. Decision records describe what was tried, too, so of them
only links and paths are checked.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import dev
from app import cli
from tests.conftest import Service

ROOT = Path(__file__).parents[2]
GUIDES = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("client/*.md"),
        *ROOT.glob("deploy/**/*.md"),
    )
    if path.name != "CHANGELOG.md"
)
RECORDS = sorted(ROOT.glob("docs/decisions/*.md"))
TOP = ("app/", "alembic/", "benchmarks/", "client/", "deploy/", "docs/", "tests/", ".ci/", ".github/")
# Where a document may shorten a path: it says "ingest/body.py" beside "app/ingest/routes.py".
BASES = (ROOT, ROOT / "app", ROOT / "app" / "reports", ROOT / "docs", ROOT / "client", ROOT / "deploy")
SOURCES = ("app", "client/src", "alembic", "benchmarks", "deploy", "tests")
SOURCE_KINDS = {".py", ".sql", ".yaml", ".yml", ".json", ".toml", ".html", ".txt"}
# Names of PyAirbyte, of Postgres and of other projects, which our code has no reason to say.
ELSEWHERE = {
    "airbyte/_util/telemetry.py",
    "get_samples",
    "hash_mem_multiplier",
    "pg_stat_io",
    "tuplehash_insert",
}
PLACEHOLDERS = re.compile(r"NAME|VERB|\{|…|\*|<|YYYY")


def spans(path: Path) -> list[str]:
    """Return what stands in backquotes outside of fenced blocks."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def fences(path: Path) -> list[str]:
    """Return the lines of fenced blocks, continued lines joined."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("document", [*GUIDES, *RECORDS], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", text)
    broken = [
        target
        for target in targets
        if not re.match(r"[a-z]+:|/", target) and not (document.parent / target).exists()
    ]
    named = [span for span in spans(document) if span.startswith(TOP) and not PLACEHOLDERS.search(span)]
    broken += [name for name in named if " " not in name and not (ROOT / name.partition("::")[0]).exists()]
    short = [span for span in spans(document) if re.fullmatch(r"[a-z_]+(/[a-z_]+)+\.(py|sql|md)", span)]
    broken += [name for name in short if not any((base / name).exists() for base in BASES)]
    broken = [name for name in broken if name not in ELSEWHERE]
    assert not broken


@pytest.fixture(scope="module")
def sources() -> str:
    """All that the code says and the names of its files, without the documents."""
    files = [file for folder in SOURCES for file in (ROOT / folder).rglob("*") if file.suffix in SOURCE_KINDS]
    kept = [file for file in files if "data" not in file.parts and file.name != Path(__file__).name]
    return "\n".join([*(file.stem for file in kept), *(file.read_text("utf-8") for file in kept)])


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_occur_in_the_code(document: Path, sources: str) -> None:
    """Columns, tables, codes and settings: every word with an underscore, every
    `TELEMETRY_…` and `AIRBYTE_…`."""
    words = {
        word
        for span in spans(document)
        for word in re.findall(r"(?<![\w.$-])[A-Za-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w…*])", span)
    }
    settings = set(re.findall(r"\b(?:TELEMETRY|AIRBYTE)_[A-Z_]*[A-Z]\b", document.read_text("utf-8")))
    known = set(re.findall(r"\w+", sources))
    from_settings = {f"TELEMETRY_{word.upper()}" for word in known}
    assert {word for word in words if word not in known | ELSEWHERE} == set()
    assert settings - known - from_settings == set()


def commands(document: Path) -> Iterator[list[str]]:
    """Yield the words of every command of ours that a document shows."""
    for line in (*spans(document), *fences(document)):
        command = re.search(r"(?:python3? dev\.py|pyairbyte-telemetry|python3? -m app)((?: [^|;&#]+)?)", line)
        if command is None or "pyairbyte-telemetry/" in line or "pyairbyte-telemetry:" in line:
            continue
        words = re.sub(r"[\[\](){}<>…]", " ", command.group(1)).replace("'", " ").replace('"', " ")
        yield shlex.split(words)


def find(words: list[str]) -> str | None:
    """Return the first word that names no command, or None."""
    verb, *rest = words or ["--help"]
    if verb in ("VERB", "--help") or verb.startswith("-"):
        return None
    if verb == "bench":
        name = rest[0] if rest else "NAME"
        return None if name == "NAME" or (ROOT / "benchmarks" / f"{name}.py").exists() else name
    if verb in dev.VERBS:
        return None
    command: Any = cli.load_all()
    for word in words:
        below = getattr(command, "commands", None)
        if below is None or word.isupper() or word.startswith("-"):  # an argument, a placeholder, an option
            return None
        if word not in below:
            return word
        command = below[word]
    return None


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(document: Path) -> None:
    unknown = [" ".join(words) for words in commands(document) if find(words) is not None]
    assert not unknown


def test_endpoints_exist(service: Service) -> None:
    """Every path under `/v1/`, and the others that the documents name, is served."""
    served = set(httpx.get(f"{service.url}/openapi.json", timeout=30).json()["paths"])
    patterns = [re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path.replace(".", r"\."))) for path in served]
    named = {
        (document.name, path)
        for document in GUIDES
        for span in spans(document)
        for path in re.findall(r"(?<![\w/.])(/v1/[\w./{}-]+[\w}])", span)
        if not PLACEHOLDERS.search(path) or "{" in path
    }
    # A path that others begin with stands for all of them: "under `/v1/reports`".
    missing = {
        (document, path)
        for document, path in named
        if not any(p.fullmatch(path) for p in patterns) and not any(s.startswith(f"{path}/") for s in served)
    }
    assert missing == set()


def test_decisions_have_numbers_of_their_own_and_stand_in_order() -> None:
    numbers = [path.name[:4] for path in RECORDS if path.name[0] == "0"]
    assert numbers == sorted(set(numbers))
    listed = re.findall(
        r"^\| \[(\d{4})\]", (ROOT / "docs/decisions/README.md").read_text("utf-8"), re.MULTILINE
    )
    assert listed == numbers
