"""With a node of a cluster down the others' events go on being written, and nothing is lost or stored twice.

The cluster is a plain Postgres with Citus's tables of nodes and shards; a trigger refuses what is for a
silent node, as Citus does.
"""

import uuid
from collections import Counter
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import is_drained, wait_until
from tests.look import Look
from tests.samples import basic, clean_event

pytestmark = pytest.mark.one_server  # the tables of nodes are stand-ins here; docs/scale.md has real nodes
EVENTS = 24
CLUSTER = """
CREATE TABLE pg_dist_node (groupid integer, nodename text, nodeport integer, noderole text);
CREATE TABLE pg_dist_shard (logicalrelid regclass, shardid bigint, shardminvalue text, shardmaxvalue text);
CREATE TABLE pg_dist_placement (shardid bigint, groupid integer);
CREATE TABLE silent_nodes (groupid integer);
INSERT INTO pg_dist_node VALUES (1, 'db-1', 1, 'primary'), (2, 'db-2', 2, 'primary');
INSERT INTO pg_dist_shard VALUES ('events', 11, '0', '2047'), ('events', 12, '2048', '4095');
INSERT INTO pg_dist_placement VALUES (11, 1), (12, 2);
CREATE FUNCTION worker_hash(bucket smallint) RETURNS integer LANGUAGE sql AS 'SELECT bucket::integer';
CREATE FUNCTION citus_check_connection_to_node(name text, port integer) RETURNS boolean LANGUAGE sql AS
    'SELECT NOT EXISTS (SELECT FROM silent_nodes WHERE groupid = port)';
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM silent_nodes WHERE groupid = 1 + (NEW.bucket >= 2048)::integer) THEN
        RAISE 'connection to the remote node failed' USING ERRCODE = '08006';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE INSERT ON rejections FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE INSERT ON outcomes FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE INSERT ON tallies FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def cluster(bare: Look, database_url: str) -> Look:
    """Two nodes, each with half of the buckets, of which the second does not answer."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute(CLUSTER.encode())
        connection.execute("INSERT INTO silent_nodes VALUES (2)")
    return bare


def send(service: Service, number: int = EVENTS) -> Counter[str]:
    """Send a batch of different users, one event of it refused; return the outcomes."""
    batch: list[dict[str, Any]] = [
        {"type": "track", "messageId": str(uuid.uuid4()), **clean_event(), "anonymousId": str(uuid.uuid4())}
        for _ in range(number)
    ]
    answer = httpx.post(
        f"{service.url}/v1/batch", json={"batch": batch}, headers=basic(service.write_key), timeout=60
    )
    assert answer.status_code == 200, answer.text
    return Counter(result["outcome"] for result in answer.json()["results"])


def stored(cluster: Look) -> Counter[int]:
    """How many events each node has."""
    rows = cluster.rows("SELECT 1 + (bucket >= 2048)::integer, count(*) FROM events GROUP BY 1")
    return Counter({int(group): int(number) for group, number in rows})


@pytest.mark.parametrize("ingest", ["direct", "log"])
def test_events_of_nodes_that_answer_go_on_being_written(
    make_service: ServiceFactory, cluster: Look, ingest: str
) -> None:
    # Where a busy machine commits slowly, direct mode would queue everything.
    service = make_service({"TELEMETRY_INGEST": ingest, "TELEMETRY_DEADLINE_MS": "10000"})
    reported = send(service) + send(service)
    if ingest == "direct":
        assert reported["accepted"] > 0
        assert reported["accepted"] + reported["queued"] == 2 * EVENTS
    wait_until(lambda: stored(cluster)[1] > 0, "the events of the node that answers")
    service.kill()  # what waits for the other is the next process's
    service.start()
    before = stored(cluster)[1]
    send(service)
    wait_until(lambda: stored(cluster)[1] > before, "events behind those that wait")
    assert stored(cluster)[2] == 0
    cluster.run("DELETE FROM silent_nodes")
    wait_until(lambda: stored(cluster).total() == 3 * EVENTS and is_drained(service), "all of them")
    assert cluster.outcomes() == {"received": 3 * EVENTS, "accepted": 3 * EVENTS}
