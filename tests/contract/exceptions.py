"""Refreshes app/contract/data/exception_classes.txt: `python3 -m tests.contract.exceptions ENVIRONMENT…`.

An environment is a folder into which a release of PyAirbyte was installed (`python3 -m venv E; E/bin/pip
install airbyte==1.0.0rc37`). Its sources are read, never run: classes of PyAirbyte and of the packages in
which a sync may fail whose bases, followed by name, end in a built-in exception. Words are only ever added:
releases that send them stay in use.
"""

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parents[2] / "app" / "contract" / "data" / "exception_classes.txt"
# What PyAirbyte calls while it installs, checks, reads and writes. Others'
# exceptions do not reach its callers.
PACKAGES: Final = (
    "airbyte",
    "airbyte_api",
    "airbyte_cdk",
    "airbyte_protocol",
    "duckdb",
    "duckdb_engine",
    "google/api_core",
    "google/auth",
    "google/cloud/bigquery",
    "google/cloud/secretmanager",
    "jsonschema",
    "orjson",
    "pandas/errors",
    "psycopg",
    "psycopg2",
    "pyarrow",
    "pydantic",
    "pydantic_core",
    "requests",
    "snowflake/connector",
    "snowflake/sqlalchemy",
    "sqlalchemy",
    "structlog",
    "urllib3",
    "uuid7",
    "yaml",
)
# Bundled with those, and never what a sync fails with.
ASIDE: Final = frozenset({"v1", "experimental", "test", "tests", "testing", "unit_tests", "cli"})
BUILT_IN: Final = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)


def find_sources(environment: Path) -> Iterator[Path]:
    """Yield the source files of the packages that are installed in an environment."""
    for site_packages in environment.glob("lib/python3*/site-packages"):
        for package in PACKAGES:
            folder = site_packages / package
            found = folder.rglob("*.py") if folder.is_dir() else site_packages.glob(f"{package}.py")
            yield from (
                path for path in found if not ASIDE.intersection(path.relative_to(site_packages).parts)
            )


def read_classes(sources: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield each class at the top of a module, and the names of its bases without their modules."""
    for source in sources:
        try:
            tree = ast.parse(source.read_bytes())
        except (SyntaxError, ValueError):
            continue  # a template, or for another Python
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                yield node.name, [ast.unparse(base).rpartition(".")[2] for base in node.bases]


def find_exceptions(environments: Iterable[Path]) -> set[str]:
    """Return the names of public exception classes in these environments."""
    classes = [each for environment in environments for each in read_classes(find_sources(environment))]
    known = set(BUILT_IN)
    while True:
        more = {name for name, bases in classes if known.intersection(bases)} - known
        if not more:
            return {name for name in known - BUILT_IN if not name.startswith("_")}
        known |= more


def main() -> None:
    """Add what the environments have to the file."""
    environments = [Path(argument) for argument in sys.argv[1:]]
    if not environments or not all(environment.is_dir() for environment in environments):
        sys.exit(__doc__)
    known = set(FILE.read_text("utf-8").split())
    found = find_exceptions(environments) - known
    FILE.write_text("".join(f"{name}\n" for name in sorted(known | found)), "utf-8")
    sys.stdout.write(f"{len(found)} added: {' '.join(sorted(found))}\n")


if __name__ == "__main__":
    main()
