"""Pictures as files: nothing of the page is needed to draw one."""

import re
from xml.etree import ElementTree

import httpx
import pytest

from app.pages import charts, files
from tests.pages.test_charts import make_day, say
from tests.service import Service

PATHS = [
    "/reports/home/days",
    "/reports/connectors/source-faker/days",
    "/reports/connectors/map",
    "/reports/trend/weeks",
    "/reports/recovery/recoveries",
]


def test_a_file_has_its_colours_and_its_lines_in_pixels() -> None:
    rows = [make_day(n, failed=n, abandoned=2, succeeded=3, attempts=9) for n in range(9)]
    rows = [{**row, "failure_rate_7d": 0.5} for row in rows]
    body = files.to_svg(
        charts.days(rows, say, "Syncs", rate="failure_rate_7d", today="2026-11-09"), "A <title>", 1_000
    )
    root = ElementTree.fromstring(body)  # noqa: S314 -- our own
    text = body.decode()
    assert "var(" not in text
    assert "preserveAspectRatio" not in text
    assert root.get("width") == "1000"
    assert "A &lt;title&gt;" in text
    [line, last] = re.findall(r'points="([^"]*)"', text)
    first_x = float(line.split()[0].split(",")[0])
    end_x = float(last.split()[-1].split(",")[0])
    inner = 1_000 - files.LEFT - files.RIGHT
    assert first_x == pytest.approx(inner / 18, abs=1)
    assert end_x == pytest.approx(inner * 17 / 18, abs=1)


@pytest.mark.parametrize("path", PATHS)
def test_pictures_are_served_as_files(reader: httpx.Client, path: str) -> None:
    answer = reader.get(f"{path}.svg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-disposition"].startswith("attachment")
    ElementTree.fromstring(answer.content)  # noqa: S314 -- our own
    assert reader.get(f"{path}.png").content.startswith(b"\x89PNG")


def test_another_picture_there_is_not(reader: httpx.Client) -> None:
    answer = reader.get("/reports/connectors/pie.svg")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_picture")


@pytest.mark.parametrize(("form", "start"), [("svg", "<svg"), ("html", "<!doctype html>")])
def test_the_command_writes_pictures(filled: Service, form: str, start: str) -> None:
    done = filled.run("report", "connectors", "--format", form)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(start)
    assert "source-faker" in done.stdout


def test_a_report_without_pictures_says_so(filled: Service) -> None:
    done = filled.run("report", "funnel", "--format", "svg")
    assert (done.returncode, done.stderr) == (1, "Error: This report has no pictures.\n")


def test_the_digest_as_html_has_its_picture(filled: Service) -> None:
    done = filled.run("report", "digest", "--format", "html")
    assert done.returncode == 0, done.stderr
    assert "<h2>Fix first</h2>" in done.stdout
    assert done.stdout.count("<svg") >= 1
