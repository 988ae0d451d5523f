"""The command `report` with what only pages can write: pictures, and a table as a page of its own."""

import sys
from typing import Final

import typer

from app.problems import Problem, TelemetryError
from app.reports import cli, render
from app.reports.cli import Format, report
from app.reports.digest import Digest
from app.reports.model import Table

__all__ = ["report"]

STYLE: Final = (
    "body{font:15px/1.45 'Source Sans 3','Liberation Sans',Arial,sans-serif;color:#161b22;margin:2rem}"
    "table{border-collapse:collapse}th,td{padding:.3rem .7rem;border-bottom:1px solid "
    "#e4e7eb;text-align:right}"
    "th:first-child,td:first-child,.t{text-align:left}img,svg{max-width:100%}"
)


def write_svg(table: Table) -> bytes:
    """Return the report's picture as an SVG file. Raises TelemetryError if it has none."""
    from app.pages import files, pictures  # noqa: PLC0415 -- tables need no pictures

    try:
        return files.to_svg(*pictures.draw(table))
    except Problem as problem:
        raise TelemetryError(problem.detail) from None


def write_png(table: Table) -> bytes:
    """Return the report's picture as PNG. Raises TelemetryError if it has none,
    or without the extra `png`."""
    from app.pages import files  # noqa: PLC0415

    try:
        return files.to_png(write_svg(table))
    except Problem as problem:
        raise TelemetryError(problem.detail) from None


def write_html(table: Table) -> str:
    """Return the report as one HTML file that needs nothing else: its picture
    if it has one, and its table."""
    from app.pages import files, frame, pictures  # noqa: PLC0415

    try:
        picture = files.to_svg(*pictures.draw(table)).decode()
    except Problem:
        picture = ""
    headings = table.report.headings
    context = {
        "style": STYLE,
        "title": render.entitle(table),
        "picture": picture,
        "headings": [
            (heading.title.replace("-\n", "").replace("\n", " "), heading.form) for heading in headings
        ],
        "rows": [[render.draw(heading, row) for heading in headings] for row in render.tabulate(table)],
        "note": f"{render.remark(table)}{table.report.note}",
        "as_of": render.instant(table.as_of),
        "lag": render.admit_lag(table),
    }
    return frame.render("file.html", context).decode()


def write_digest(digest: Digest, home: Table) -> str:
    """Return the digest as one HTML file that needs nothing else, with the picture of the days."""
    from app.pages import files, frame, pictures  # noqa: PLC0415

    try:
        picture = files.to_svg(*pictures.draw(home)).decode()
    except Problem:
        picture = ""
    return frame.render("digest.html", {"style": STYLE, "digest": digest, "picture": picture}).decode()


def write_bytes(data: bytes) -> None:
    """Write to standard output; a picture is not for a terminal."""
    if sys.stdout.isatty():
        raise TelemetryError("A picture is no text: send it to a file, as in `> picture.png`.")
    typer.echo(data, nl=False)


cli.DRAWN.update(
    {
        Format.svg: lambda table: typer.echo(write_svg(table), nl=False),
        Format.png: lambda table: write_bytes(write_png(table)),
        Format.html: lambda table: typer.echo(write_html(table), nl=False),
    }
)
cli.DIGESTED[Format.html] = write_digest
