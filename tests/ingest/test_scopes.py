"""What a write key may do: its scopes, its end, and when it was last used."""

import asyncio
import datetime as dt
import time
from collections.abc import Collection
from pathlib import Path

import httpx
import pytest

from app.ingest.keyring import USE_SECONDS, Keyring
from app.privacy.pseudonyms import Pseudonyms
from app.scopes import EVERY_SCOPE, PUBLIC_KEYS, parse_write_keys
from app.store.keys import Grant
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import basic, clean_event

BATCH = {"batch": [clean_event()]}
REQUESTS = {"/v1/track": clean_event(), "/v1/batch": BATCH, "/v1/import": BATCH, "/v1/validate": BATCH}
KEY, OTHER = "a-key-of-more-than-20-chars", "another-key-of-over-20-chars"
PSEUDONYMS = Pseudonyms("a hash key of thirty-two characters or more")


def codes(url: str, key: str) -> dict[str, int]:
    return {
        path: httpx.post(f"{url}{path}", json=body, headers=basic(key), timeout=60).status_code
        for path, body in REQUESTS.items()
    }


def make(service: Service, *arguments: str) -> str:
    made = service.run("keys", "create", *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def make_known(service: Service, *arguments: str) -> str:
    """Make a key that works: keys are looked for every half second at the most."""
    key = make(service, *arguments)
    validate = f"{service.url}/v1/validate"
    wait_until(lambda: httpx.post(validate, json=BATCH, headers=basic(key)).status_code != 401, "known")
    return key


@pytest.mark.parametrize(
    ("scopes", "track", "imported"),
    [
        ([], 200, 403),
        (["--scope", "import"], 403, 200),
        (["--scope", "ingest", "--scope", "import"], 200, 200),
        (["--scope", "ingest+relay"], 200, 403),
    ],
)
def test_a_key_does_what_its_scopes_say(
    service: Service, look: Look, scopes: list[str], track: int, imported: int
) -> None:
    key = make_known(service, "staging", *scopes)
    assert codes(service.url, key) == {
        "/v1/track": track,
        "/v1/batch": track,
        "/v1/import": imported,
        "/v1/validate": 200,
    }
    body = httpx.post(f"{service.url}/v1/import", json={**BATCH, "writeKey": key}, timeout=60)
    assert body.status_code == imported, "a key in the body says the same"
    refused = 2 * [track, imported].count(403)
    wait_until(
        lambda: (
            look.value("SELECT coalesce(sum(count), 0) FROM tallies WHERE reason = 'missing_scope'")
            == refused
        ),
        "what was refused is not counted",
    )


def test_the_refusal_names_the_scope_and_nothing_else(service: Service) -> None:
    key = make_known(service, "staging")
    refused = httpx.post(f"{service.url}/v1/import", json=BATCH, headers=basic(key), timeout=60)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (403, "missing_scope")
    assert "`import`" in problem["detail"]
    assert key not in refused.text
    document = httpx.get(f"{service.url}/openapi.json").json()
    assert "403" in document["paths"]["/v1/import"]["post"]["responses"]


def test_the_public_keys_never_import(make_service: ServiceFactory) -> None:
    public = sorted(PUBLIC_KEYS)
    service = make_service({"TELEMETRY_WRITE_KEYS": ",".join([*public, KEY, f"{OTHER}:ingest"])})
    for key in (*public, OTHER):
        assert codes(service.url, key) == dict.fromkeys(REQUESTS, 200) | {"/v1/import": 403}
    assert codes(service.url, KEY) == dict.fromkeys(REQUESTS, 200)
    service.environment["TELEMETRY_WRITE_KEYS"] = f"{public[0]}:ingest+import"
    said = service.run("doctor").stderr
    assert said.startswith("Error: TELEMETRY_WRITE_KEYS: ")
    assert "public keys" in said
    assert public[0] not in said


def test_the_setting_decides_anew_at_every_start(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_WRITE_KEYS": KEY})
    assert codes(service.url, KEY)["/v1/import"] == 200
    service.stop()
    service.environment["TELEMETRY_WRITE_KEYS"] = f"{KEY}:ingest"
    service.start()
    assert codes(service.url, KEY)["/v1/import"] == 403


@pytest.mark.parametrize(
    "text", [f"{KEY}:admin", f"{KEY}:", f"{KEY}:ingest,{KEY}", f"{KEY}:ingest:import", ":ingest"]
)
def test_a_setting_that_is_no_list_of_keys_is_refused(service: Service, text: str) -> None:
    reported = service.environment | {"TELEMETRY_WRITE_KEYS": text}
    before, service.environment = service.environment, reported
    try:
        said = service.run("doctor")
    finally:
        service.environment = before
    assert said.returncode == 1
    assert said.stderr.startswith("Error: TELEMETRY_WRITE_KEYS: ")
    assert KEY not in said.stderr


def test_scopes_are_read_as_they_are_written() -> None:
    assert parse_write_keys(f"{KEY}:import+relay, {OTHER},") == {
        KEY: frozenset({"import", "relay"}),
        OTHER: EVERY_SCOPE,
    }


def test_a_key_ends_at_its_time_also_where_it_was_just_used(service: Service, look: Look) -> None:
    key = make_known(service, "for-a-day", "--expires", "1d")
    assert codes(service.url, key)["/v1/track"] == 200
    look.run("UPDATE write_keys SET expires_at = now() + interval '8 seconds' WHERE name = 'for-a-day'")
    wait_until(lambda: codes(service.url, key)["/v1/track"] == 401, "a key outlives its end")


@pytest.mark.parametrize("text", ["yesterday", "0d", "2020-01-01", "99999d", "9999-12-31x"])
def test_an_end_that_is_none_is_refused(service: Service, text: str) -> None:
    refused = service.run("keys", "create", "staging", "--expires", text)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: --expires")


def test_the_list_shows_scopes_end_and_last_use_and_no_key(make_service: ServiceFactory) -> None:
    service = make_service()
    service.environment["COLUMNS"] = "160"
    used = make_known(service, "archive", "--scope", "import", "--expires", "2031-05-01")
    make(service, "spare")
    assert codes(service.url, used)["/v1/import"] == 200
    service.stop()
    listed = service.run("keys", "list").stdout
    assert used not in listed
    rows = {row.split("│")[1].strip(): row.split("│") for row in listed.splitlines() if row.startswith("│")}
    now = dt.datetime.now(dt.UTC)
    assert rows["archive"][2].strip() == "import"
    assert rows["archive"][5].strip() == "2031-05-02 00:00"
    assert rows["archive"][4].strip()[:10] in {f"{now:%Y-%m-%d}", f"{now - dt.timedelta(minutes=1):%Y-%m-%d}"}
    assert rows["spare"][4].strip() == ""


def test_use_is_noted_once_a_minute_and_again_where_that_failed(tmp_path: Path) -> None:
    noted: list[set[int]] = []
    fail = True

    async def note(numbers: Collection[int], _at: dt.datetime) -> None:
        if fail:
            raise TimeoutError
        noted.append(set(numbers))

    async def play() -> None:
        nonlocal fail
        ring = Keyring(
            PSEUDONYMS,
            lambda: {PSEUDONYMS.write_key(KEY): Grant(7, EVERY_SCOPE)},
            note,
            tmp_path / "keys",
            {KEY: EVERY_SCOPE},
        )
        header = basic(KEY)["Authorization"].encode()
        assert (await ring.authenticate(header, None)).write_key == -1, "before Postgres was ever reached"
        for _ in range(100):
            await ring.authenticate(header, None)
        keeping = asyncio.create_task(ring.keep_fresh())
        ring.noted = time.monotonic() - 2 * USE_SECONDS
        assert ring.reading is None
        await asyncio.wait({keeping}, timeout=0)
        await ring.refresh()
        fail = False
        await ring.note_use()
        await ring.note_use()
        keeping.cancel()

    asyncio.run(play())
    assert noted == [{7}]


def test_a_server_without_postgres_remembers_scopes_and_ends(tmp_path: Path) -> None:
    async def note(_numbers: Collection[int], _at: dt.datetime) -> None:
        return

    grants = {
        PSEUDONYMS.write_key(KEY): Grant(1, frozenset({"import"})),
        PSEUDONYMS.write_key(OTHER): Grant(2, EVERY_SCOPE, 0.0),
    }
    first = Keyring(PSEUDONYMS, lambda: grants, note, tmp_path / "keys")
    asyncio.run(first.refresh())
    again = Keyring(PSEUDONYMS, lambda: {}, note, tmp_path / "keys")
    found = again.find(KEY)
    assert found is not None
    assert (found.write_key, found.scopes) == (1, frozenset({"import"}))
    assert again.find(OTHER) is None
