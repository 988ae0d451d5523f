"""Free digits and letters are channels: what honest mistakes and strangers put into them is nowhere in the
database, whether the event was accepted, accepted without the field, or refused.

Beside those that were found in the first version, their siblings: every other place of the wire where a
sender picks the digits.
"""

import json
from typing import Any

import httpx

from tests.conftest import Service
from tests.look import Look, wait_until
from tests.samples import SESSION, USER, basic, clean_event, spoil

EMAIL = b"jane@example.com".hex()
CARD = "4111111111111111"
PHONE = "4155552671"
# A path, what stands there, and what must not be found: too long, or with a sign too many, to be part of a
# pseudonym.
CHANNELS = [
    ("properties.version", f"0.71.3+{EMAIL}", EMAIL),
    ("properties.version", f"0.71.3.dev{CARD}", CARD),
    ("properties.version", f"0.71.3.post{CARD}", CARD),
    ("properties.version", f"0.71.3+g{EMAIL}.d20261128", EMAIL),
    ("properties.version", "4155.5526.71", "4155.5526"),
    ("properties.source.version", "415.555.2671", "415.555.2671"),
    ("properties.source.version", "4155.552671", ".552671"),
    ("properties.source.version", f"1.2.3-dev.{EMAIL}", EMAIL),
    ("properties.source.version", f"1.2.3-preview.{CARD}", CARD),
    ("properties.source.version", f"1.2.3-rc.{PHONE}", PHONE),
    ("properties.destination", {"name": "destination-csv", "version": f"1.2.3-post{PHONE}"}, PHONE),
    ("properties.destination", {"name": "destination-csv", "version": "192.168.17.23"}, "192.168.17.23"),
    ("properties.os", "CYGWIN_NT-10.20.30.40", "10.20.30"),
    ("properties.os", "CYGWIN_NT-10.20-415555", "20-415555"),
    ("properties.os", "MSYS_NT-41.55-552671", "55-552671"),
    ("properties.os", "Google Colab (release-colab-jane-doe_20260401-060126_RC00)", "jane-doe"),
    ("properties.os", "Google Colab (release-colab_41555526-710000_RC00)", "41555526-71"),
    ("properties.os", "Linux jane-laptop 6.1", "jane-laptop"),
    ("properties.python_version", "3.11.7rc41 (CPython)", "rc41"),
    ("properties.python_version", f"3.11.{PHONE} (CPython)", PHONE),
    ("properties.python_version", "3.11.7 (JaneDoePython)", "JaneDoe"),
    ("properties.number_of_records", int(CARD), CARD),
    ("properties.exception", {"class": "JaneDoeError", "exit_code": 1}, "JaneDoe"),
    ("properties.exception", {"class": "AirbyteError", "exit_code": int(PHONE)}, PHONE),
    ("properties.exception", {"class": "AirbyteError", "connector_name": "source-jane-doe"}, "jane-doe"),
    ("properties.source.name", "source-jane-doe", "jane-doe"),
    ("properties.source.executor_type", "JaneDoeExecutor", "JaneDoe"),
    ("properties.cache", {"type": "JaneDoeCache"}, "JaneDoe"),
    ("properties.flags", {"NOTEBOOK_RUNTIME": "JANE_DOE"}, "JANE_DOE"),
    ("properties.flags", {"JANE_DOE": True}, "JANE_DOE"),
    ("properties.application_hash", EMAIL + EMAIL, EMAIL),
    ("properties.source.config_hash", EMAIL + EMAIL, EMAIL),
    ("properties.session_id", "01JANED0E4155552671ABCDEFG", "4155552671"),
    ("anonymousId", "01JANED0E4155552671ABCDEFG", "4155552671"),
    ("anonymousId", f"{EMAIL[:8]}-6d70-6c65-2e63-{EMAIL[:12]}", EMAIL[:8]),
    ("messageId", "jane.doe.4155552671", "jane.doe"),
    ("timestamp", "2026-11-23T01:59:40.415555+00:00", ".415555"),
    ("timestamp", "2026-11-23T01:59:40.000267123Z", ".000267"),
    ("sentAt", "2026-11-22T01:41:55.526710Z", "41:55.52"),
]
TABLES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
    WHERE schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'
"""


def dump(look: Look) -> str:
    """Every value of every table, as text."""
    names = [name for (name,) in look.rows(TABLES)]
    return "\n".join(
        str(row) for name in names for row in look.rows(f"SELECT CAST(t AS text) FROM {name} AS t")
    )


def event_of(number: int, path: str, value: Any) -> dict[str, Any]:
    event = clean_event(session_id=f"{SESSION[:19]}{number:07d}") | {
        "anonymousId": f"{USER[:19]}{number:07d}"
    }
    return spoil(path, value, event | {"messageId": f"m-{number}"})


def test_nothing_of_them_is_stored(client: httpx.Client, look: Look) -> None:
    for number, (path, value, _) in enumerate(CHANNELS):
        reply = client.post("/v1/track", content=json.dumps(event_of(number, path, value)))
        assert reply.status_code in {200, 422}, path
    wait_until(lambda: not look.value("SELECT count(*) FROM dirty_sessions"), "all is rolled up")
    assert look.value("SELECT count(*) FROM events") > len(CHANNELS) / 2
    stored = dump(look)
    assert "0.71.3" in stored  # what is looked through is what was stored
    found = [(path, needle) for path, _, needle in CHANNELS if needle.lower() in stored.lower()]
    assert found == []


def test_one_session_of_the_largest_numbers_stops_nobody(
    client: httpx.Client, look: Look, service: Service
) -> None:
    """1,200 times 2^53 - 1: each is refused, and counted as the attempt that it was."""
    loud = [
        spoil("properties.number_of_records", 2**53 - 1, clean_event()) | {"messageId": f"loud-{number}"}
        for number in range(1_200)
    ]
    for start in range(0, len(loud), 400):
        reply = client.post("/v1/batch", json={"batch": loud[start : start + 400]})
        assert {each["outcome"] for each in reply.json()["results"]} == {"rejected"}
    quiet = event_of(1, "properties.source.name", "source-github")
    assert client.post("/v1/track", json=quiet).json()["outcome"] == "accepted"
    wait_until(lambda: not look.value("SELECT count(*) FROM dirty_sessions"), "all is rolled up")
    assert look.rows("SELECT CAST(sum(succeeded) AS int) FROM unit_days") == [(1_201,)]
    assert look.value("SELECT count(*) FROM quarantined_sessions") == 0
    assert httpx.get(f"{service.url}/readyz", headers=basic(service.write_key)).status_code == 200
