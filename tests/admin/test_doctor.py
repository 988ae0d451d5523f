"""`doctor` says what is wrong, and exits with 1 then."""

from tests.conftest import Service, ServiceFactory
from tests.look import Look


def test_a_healthy_service_has_no_fault_and_is_warned_of_the_tests_postgres(service: Service) -> None:
    """The Postgres of the tests writes nothing to the disk, for speed: an operator's
    choice, which is warned of."""
    done = service.run("doctor")
    assert done.returncode == 0, done.stdout
    assert "│ fault │" not in done.stdout
    assert "Warning: fsync and full_page_writes off" in done.stdout
    for what in (
        "settings",
        "data dir",
        "database",
        "schema",
        "hash key",
        "write keys",
        "partitions",
        "rollups",
        "clock",
        "spool",
        "writing",
    ):
        assert what in done.stdout


def test_faults_are_named(make_service: ServiceFactory, database_url: str, bare: Look) -> None:
    service = make_service()
    service.stop()
    service.data_dir.mkdir(exist_ok=True)
    (service.data_dir / "write-key").write_text("x")
    (service.data_dir / "write-key").chmod(0o644)
    service.environment["TELEMETRY_HASH_KEY"] = "another-key-of-thirty-two-or-more-characters"
    bare.run("UPDATE write_keys SET revoked_at = now()")
    bare.run(
        "INSERT INTO dirty_sessions (received_at, occurred_at, bucket, session_key)"
        " VALUES (now() - interval '2 minutes', now(), 1, hashtextextended(CAST(gen_random_uuid() AS "
        "text), 0))"
    )
    done = service.run("doctor")
    assert done.returncode == 1
    assert done.stdout.count("│ fault │") == 4
    assert "another-key" not in done.stdout
    bare.run("UPDATE alembic_version SET version_num = '0001'")
    assert "run `migrate`" in service.run("doctor").stdout
    service.environment["TELEMETRY_DATABASE_URL"] = "postgresql://nobody:hunter2@127.0.0.1:1/none"
    away = service.run("doctor")
    assert away.returncode == 1
    assert "hunter2" not in away.stdout + away.stderr
