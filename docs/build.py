"""Writes the reference pages from the code: settings, command line, problems, the JSON
Schema of an event, README's sample.

`python docs/build.py` writes them, `python docs/build.py --check` fails if one is out of date.
"""

import datetime as dt
import io
import json
import re
import sys
import textwrap
from pathlib import Path

import typer
from rich.console import Console
from typer.cli import get_docs_for_click

from app import cli
from app.contract import schema as wire_schema
from app.problems import CODES
from app.reports import render
from app.reports.model import Table
from app.reports.parameters import PARAMETERS
from app.reports.registry import REPORTS
from app.settings import Settings

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
SAMPLE = re.compile(r"(^\$ python3 dev\.py report connectors --limit 8\n).*?\n```", re.MULTILINE | re.DOTALL)
SAMPLE_WIDTH = 118
WIDTH = 110
# Where no line may end: within `code`, and before what would begin a list, a heading or a quotation.
UNBREAKABLE = re.compile(r"`[^`]+`| (?=(?:[-+*#>=]|[0-9]+[.)]) )")
DEFAULT_FROM_ELSEWHERE = {"data_dir": "the platform's state folder"}


def describe_settings() -> str:
    """Return a table of the settings."""
    lines = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = DEFAULT_FROM_ELSEWHERE.get(name) or field.get_default()
        shown = "unset" if default is None or not str(default) else f"`{default}`"
        lines.append(f"| `TELEMETRY_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)


def describe_problems() -> str:
    """Return a table of the problem codes."""
    lines = ["| status | code | what it means | what to do |", "|---|---|---|---|"]
    lines += [f"| {code.status} | `{name}` | {code.means} | {code.remedy} |" for name, code in CODES.items()]
    return "\n".join(lines)


def describe_commands() -> str:
    """Return a section for each command, as typer itself documents them."""
    command = cli.load_all()
    context = typer.Context(command)
    text = get_docs_for_click(obj=command, ctx=context, name="pyairbyte-telemetry")
    return (
        "\n".join(line.rstrip() for line in text.partition("\n")[2].splitlines())
        .strip()
        .replace("\n## ", "\n### ")
    )


def describe_reports() -> str:
    """Return a section for each report: what it takes and gives."""
    parts = []
    for report in REPORTS.values():
        takes = ", ".join(
            f"`{name}` (default {report.defaults[name]})" if name in report.defaults else f"`{name}`"
            for name in report.parameters
        )
        sorts = (
            f" Sorts: {', '.join(f'`{sort}`' for sort in report.sorts)}."
            if "sort" in report.parameters
            else ""
        )
        columns = "\n".join(
            f"| `{column.name}` | {column.type} | {column.description} |" for column in report.columns
        )
        if report.series:
            columns += (
                "\n\nWith `series=day` JSON has beside the rows:\n\n| column | type | |\n|---|---|---|\n"
                + "\n".join(
                    f"| `{column.name}` | {column.type} | {column.description} |"
                    for column in report.series.columns
                )
            )
        parts.append(
            f"## {report.name}\n\n{report.summary} {report.note}\n\nTakes {takes}.{sorts}\n\n| column | "
            f"type | |\n|---|---|---|\n{columns}"
        )
    return "\n\n".join(parts)


def describe_parameters() -> str:
    """Return a table of what reports take."""
    lines = ["| parameter | takes | default | |", "|---|---|---|---|"]
    lines += [
        f"| `{each.name}` | {each.allowed or 'what the report has'} | {each.default} | {each.description} |"
        for each in PARAMETERS.values()
    ]
    return "\n".join(lines)


def describe_sample() -> str:
    """README's sample: what the terminal prints of a report of the demo that was kept in `sample.json`."""
    kept = json.loads((DOCS / "sample.json").read_text("utf-8"))
    report = REPORTS[kept["report"]]
    names = [column.name for column in report.columns]
    table = Table(
        report,
        kept["parameters"],
        dt.datetime.fromisoformat(kept["as_of"]),
        report.columns,
        [{name: row.get(name) for name in names} for row in kept["rows"]],
        total=kept["total"],
    )
    console = Console(width=SAMPLE_WIDTH, file=io.StringIO(), record=True)
    console.print(render.to_text(table, SAMPLE_WIDTH))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()).rstrip()


def fill_readme() -> str:
    """README with the sample as the terminal prints it now, below the command."""
    return SAMPLE.sub(lambda found: f"{found[1]}{describe_sample()}\n```", README.read_text("utf-8"))


def wrap(text: str) -> str:
    """Return a page whose lines end at `WIDTH`, but for tables, fenced blocks and what cannot be broken."""
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fenced ^= line.startswith("```")
        if fenced or len(line) <= WIDTH or line.startswith(("|", "#")):
            lines.append(line)
            continue
        whole = UNBREAKABLE.sub(lambda found: found[0].replace(" ", "\0"), line)
        indent = "  " if line.startswith("* ") else ""
        wrapped = textwrap.wrap(
            whole, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        lines += [each.replace("\0", " ") for each in wrapped]
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """Return every generated page and its text."""
    reference = (
        "# Reference\n\nGenerated by `docs/build.py`; `python3 dev.py check` fails when it is out of "
        "date.\n\n"
        f"## Settings\n\n{describe_settings()}\n\n"
        "## Problems\n\nEvery refusal is problem JSON (RFC 9457) with one of these codes in `code`; 429 "
        "and 503 say in "
        f"`Retry-After` how many seconds to wait.\n\n{describe_problems()}\n\n## Command line\n\n"
        "`python3 dev.py VERB …` runs the same in a checkout.\n\n"
        f"{describe_commands()}\n"
    )
    reports = (
        "# Reports\n\nGenerated by `docs/build.py` from `app/reports/definitions/`.\n\n"
        "`pyairbyte-telemetry report NAME` prints one; `/v1/reports/NAME` is the same as JSON, "
        "`NAME.csv` and `NAME.parquet` beside it, "
        "with the report token. `report NAME --explain` prints the definitions behind every figure, and "
        "where they are computed. "
        "[metrics.md](metrics.md) says what the numbers mean, [statistics.md](statistics.md) what the "
        "ranking is worth.\n\n"
        f"## Parameters\n\n{describe_parameters()}\n\n{describe_reports()}\n"
    )
    return {
        DOCS / "reference.md": wrap(reference),
        DOCS / "reports.md": wrap(reports),
        README: fill_readme(),
        DOCS / "event.schema.json": json.dumps(wire_schema.build_schema(), indent=2) + "\n",
    }


def main() -> None:
    """Write or check the pages."""
    stale = [path for path, page in pages().items() if not path.exists() or path.read_text("utf-8") != page]
    if "--check" not in sys.argv:
        for path in stale:
            path.write_text(pages()[path], "utf-8")
    elif stale:
        sys.exit(f"Out of date: {', '.join(path.name for path in stale)}. Run `python docs/build.py`.")


if __name__ == "__main__":
    main()
