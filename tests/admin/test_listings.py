"""Lists of keys and tokens fit a terminal by columns that go; a name is how a key is revoked, and stays."""

import pytest

from app.admin.listings import fit, print_listing

COLUMNS = ("name", "scopes", "created", "last used", "ends", "revoked")
LONG = "a-name-that-somebody-chose-for-the-staging-area-of-the-data-platform"
ROWS = [
    dict.fromkeys(COLUMNS, "2026-11-28 17:27")
    | {"name": name, "scopes": "ingest, import, relay", "revoked": ""}
    for name in ("first", "[red]brackets[/red]", LONG)
]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_a_name_is_never_cut(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_listing(COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    cells = [line.split("│")[1].strip() for line in lines if line.startswith("│")]
    assert "".join(cells) == "".join(row["name"] for row in ROWS)
    assert not any("…" in line for line in lines)


def test_columns_go_in_order_of_importance() -> None:
    short = [row | {"name": "short"} for row in ROWS]
    kept = {width: fit(COLUMNS, short, width) for width in (200, 90, 80, 60, 40, 20)}
    assert kept[200] == list(COLUMNS)
    assert kept[90] == ["name", "scopes", "created", "last used", "ends"]
    assert kept[80] == ["name", "scopes", "last used", "ends"]
    assert kept[60] == ["name", "scopes", "last used"]
    assert kept[40] == ["name", "scopes"]
    assert kept[20] == ["name"]
