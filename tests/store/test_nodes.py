"""What `/readyz` and `doctor` know of a cluster's nodes, against what Citus would say."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.admin.nodes import check_nodes
from app.serving import health
from app.serving.health import Ways
from app.store import migrations
from app.store.nodes import LITTLE_BYTES, look
from tests.look import Look, wait_until
from tests.reports.test_http import listen

STAND_INS = (Path(__file__).parents[1] / "admin" / "stand_ins.sql").read_text("utf-8")
SPOOL = {
    **{"in_use": False, "writable": True, "entries": 0, "age_seconds": 0, "corrupt": 0, "quarantined": []},
    "others": {"entries": 0, "age_seconds": 0},
}


@pytest.fixture
def cluster(bare: Look) -> Look:
    """The coordinator, which has no shards, and two workers."""
    with bare.engine.begin() as connection:
        connection.exec_driver_sql(STAND_INS)
        connection.exec_driver_sql("INSERT INTO pg_dist_node VALUES ('db-0', 5432, 0, false)")
        connection.exec_driver_sql("INSERT INTO pg_dist_node VALUES ('db-1', 5432, 1), ('db-2', 5432, 2)")
    return bare


def fill(cluster: Look, *sizes: int) -> None:
    cluster.run("DELETE FROM citus_shards")
    for number, size in enumerate(sizes, 1):
        cluster.run(
            "INSERT INTO citus_shards VALUES (:shard, :name, 5432, 'distributed', :size)",
            shard=number,
            name=f"db-{number}",
            size=size,
        )


def reported(cluster: Look) -> dict[str, str]:
    with cluster.engine.connect() as connection:
        return {finding.what: finding.said for finding in check_nodes(connection)}


def symptoms(cluster: Look) -> list[str]:
    with cluster.engine.connect() as connection:
        seen = look(connection)
    assert seen is not None
    return seen.list_symptoms()


@pytest.mark.parametrize(
    ("sizes", "is_uneven"),
    [
        ((2 * LITTLE_BYTES, 3 * LITTLE_BYTES), False),
        ((LITTLE_BYTES, 4 * LITTLE_BYTES), True),
        ((1, LITTLE_BYTES), False),  # little: an empty partition weighs as much
        ((LITTLE_BYTES,), True),  # the other one was added, and given nothing
        ((), False),  # not distributed yet
    ],
)
def test_nodes_that_are_filled_unevenly(cluster: Look, sizes: tuple[int, ...], is_uneven: bool) -> None:
    fill(cluster, *sizes)
    assert symptoms(cluster) == (["nodes_uneven"] if is_uneven else [])
    said = reported(cluster)["skew"]
    assert ("citus_rebalance_start" in said) is is_uneven
    assert "db-" not in said
    assert "groupid 1: " in said


@pytest.fixture
def ready(cluster: Look) -> Iterator[str]:
    app = FastAPI()
    head = migrations.head()
    app.include_router(health.create_router(cluster.engine, head, lambda: Ways("direct", SPOOL), list))
    yield from listen(app)


def test_readyz_names_what_is_wrong_with_the_nodes(cluster: Look, ready: str) -> None:
    fill(cluster, LITTLE_BYTES, 4 * LITTLE_BYTES)
    cluster.run("INSERT INTO silent_nodes VALUES ('db-2')")
    cluster.run(
        "CREATE OR REPLACE FUNCTION run_command_on_all_nodes(command text) RETURNS "
        "TABLE (success boolean, result text) LANGUAGE sql AS $$ VALUES (true, '2'), (false, 'gone') $$"
    )
    wait_until(lambda: len(httpx.get(f"{ready}/readyz").json()["symptoms"]) > 1, "nothing is said")
    body = httpx.get(f"{ready}/readyz").json()
    assert (body["status"], body["symptoms"]) == ("degraded", ["node_silent", "prepared_transactions"])
    assert "2 transactions" in reported(cluster)["prepared"]
    assert "skew" not in reported(cluster)  # the sizes of a node that is away are not known
