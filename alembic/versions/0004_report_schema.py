"""The schema `report`: views for other tools, with the roles that read them.

Every view is an aggregate: none shows a unit, a session or a hash, so that a tool, its cache and its exports
hold nothing that tells users apart. A view runs as its owner; whoever reads it needs no right on the tables
under it. Columns are only ever added, at the end; another meaning is another view, `v2_…`.

Not `security_barrier`: no view leaves out rows that a reader must not see, and the barrier would keep
conditions on the day from reaching the tables.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-27
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NOBODY = "0"
TODAY = "CAST(now() AT TIME ZONE 'UTC' AS date)"

# `unit_days`, and once more what of it is in flight now: few rows, found by a partial index. Every
# environment is there: its outer join is for a cluster, which refuses a union of its tables beside inner
# joins only.
FACTS = """(
        SELECT
            day, route, environment, failure, bucket, unit, application_hash, coalesce(records, 0) AS records,
            coalesce(succeeded, 0) AS succeeded, coalesce(failed, 0) AS failed,
            coalesce(canceled, 0) AS canceled, coalesce(open, 0) AS open, coalesce(orphans, 0) AS orphans,
            coalesce(from_ledger, 0) AS from_ledger, coalesce(first_runs, 0) AS first_runs,
            coalesce(corrected, 0) AS corrected, 0 AS in_flight
        FROM public.unit_days
        UNION ALL
        SELECT
            u.day, u.route, u.environment, u.failure, u.bucket, u.unit, u.application_hash, 0, 0, 0, 0, 0,
            0, 0, 0, 0, coalesce(a.times, 1)
        FROM public.attempts AS a
        JOIN public.unit_days AS u ON u.day = a.day AND u.bucket = a.bucket AND u.day_key = a.day_key
        WHERE a.kind & 3 = 0 AND a.settles_at > now()
    ) AS d
    JOIN public.routes AS r ON r.id = d.route
    LEFT JOIN public.environments AS e ON e.id = d.environment
    LEFT JOIN public.failures AS f ON f.id = d.failure"""
CONNECTORS = """
    CROSS JOIN LATERAL (
        VALUES
            ('source', r.source_name, r.source_version, e.source_executor_type),
            ('destination', r.destination_name, r.destination_version, e.destination_executor_type)
    ) AS c (role, connector, connector_version, executor_type)"""
UNITS = f"count(DISTINCT d.unit) FILTER (WHERE d.unit <> {NOBODY}) AS units"
AFFECTED = (
    f"count(DISTINCT d.unit) FILTER (WHERE d.unit <> {NOBODY} AND d.failed > 0 AND f.failure_class <> "
    f"'config')"
    " AS affected_units"
)
ATTEMPTS = "CAST(sum(d.succeeded + d.failed + d.canceled + d.open) AS bigint) AS attempts"
SUCCEEDED = "CAST(sum(coalesce(d.succeeded, 0)) AS bigint) AS succeeded"
FAILED = "CAST(sum(coalesce(d.failed, 0)) AS bigint) AS failed"
FAILED_CONFIG = (
    "CAST(coalesce(sum(d.failed) FILTER (WHERE f.failure_class = 'config'), 0) AS bigint) AS failed_config"
)
CANCELED = "CAST(sum(d.canceled) AS bigint) AS canceled"
IN_FLIGHT = "CAST(sum(d.in_flight) AS bigint) AS in_flight"
ABANDONED = "CAST(sum(d.open - d.in_flight) AS bigint) AS abandoned"
RECORDS = "CAST(least(sum(d.records), 9e18) AS bigint) AS records"
MEASURES = f"""{UNITS},
        {AFFECTED},
        {ATTEMPTS},
        {SUCCEEDED},
        {FAILED},
        {FAILED_CONFIG},
        {CANCELED},
        {IN_FLIGHT},
        {ABANDONED},
        {RECORDS}"""

# What a column means, wherever it stands.
MEANINGS = {
    "day": "UTC day of the attempt's start; today is provisional",
    "hour": "UTC hour of arrival",
    "role": "source or destination: in which role the connector ran",
    "connector": "connector of the public registry; custom: any other; unknown: named so by the sender; "
    "other: all that are too few to be shown",
    "connector_version": "version of the connector; empty: none sent or withheld",
    "lane": "write: to a destination; cache: into a cache; direct: read without one, usage only and "
    "never part of a rate",
    "ci": "whether it ran in continuous integration; reports leave it out by default",
    "prerelease": "whether PyAirbyte was a pre-release or a checkout; reports leave it out by default",
    "units": "distinct users as far as they can be recognised; not additive over rows",
    "affected_units": "distinct users with a failure of another class than config; not additive over rows",
    "attempts": "attempted syncs: succeeded + failed + canceled + in_flight + abandoned",
    "succeeded": "attempts that succeeded",
    "failed": "attempts that failed, of every failure class",
    "failed_config": "those of failed that a wrong configuration caused",
    "canceled": "attempts that were canceled",
    "in_flight": "attempts without an end that may still come: the last sign of them is less than 24 h old",
    "abandoned": "attempts without an end, 24 h after the last sign of them",
    "records": "records that succeeded attempts reported; not the number delivered",
    "exception_class": "class of the exception; empty: none named; other: no class of the vocabulary",
    "failure_class": "config, destination, pyairbyte, connector or other; rankings leave config out",
    "pyairbyte_version": "version of PyAirbyte; empty: withheld",
    "python_version": "version and implementation of Python; empty: none sent or withheld",
    "os": "operating system; empty: none sent or withheld",
    "notebook_runtime": "notebook that it ran in; empty: none",
    "executor_type": "how the connector was run; empty: none sent",
    "source": "source connector; empty: none",
    "destination": "destination connector; empty: none",
    "cache_type": "type of the cache; empty: none",
    "event": "sync, install, validate or check",
    "window_days": "length of the window in UTC days, today included: 7, 28 or 90",
    "use_cases": "distinct pairs of user and application",
    "settled": "attempts that are not in flight",
    "failure_rate": "failed / settled; the published promise",
    "failure_rate_upper": "(failed + abandoned) / settled; the truth lies between failure_rate and this",
    "failure_of_concluded": "failed / (failed + succeeded)",
    "affected_share": "affected_units / units",
    "capped_rate": "sum(w f / a) / sum(w) over users: a settled attempts, f failures but config, w = "
    "min(a, 5); no user weighs more than 5 attempts",
    "burden": "weighed_units * capped_rate: users' worth of failure",
    "rank": "place by burden within window and role, 1 is worst",
    "low_data": "whether fewer than 10 users stand behind the row, as they are weighed",
    "weighed_units": "users, of whom one whose id was never kept counts min(1, attempts / mean of those "
    "whose was), 5 attempts at most each",
    "ephemeral_share": "share of users whose id was never kept: containers; those of one setup are one user",
    "surge": "whether more than half is of ids that came within one hour, or in batches of many, and "
    "not over a week yet",
    "orphans": "ends without a start",
    "from_ledger": "attempts of which an event was refused",
    "first_runs": "attempts of users who were minted with their session",
    "corrected": "attempts whose clock was off by 55 minutes or more and was corrected",
    "without_unit": "attempts of which no user is known",
    "outcome": "received = accepted + duplicate + rejected + expired + forgotten",
    "kind": "refused: requests that hold no event; withheld: fields not stored; client_dropped: said by "
    "clients",
    "reason": "why; empty: none",
    "count": "how many",
    "first_day": "oldest day that is kept by user",
    "last_day": "newest day",
    "waiting": "marks of sessions that wait to be rolled up",
    "lag_seconds": "age of the oldest event that no view shows yet; 0: none",
    "month": "first day of the calendar month (UTC)",
    "published_at": "when the month was published; never changed since",
}

# name: what it is, its columns in order, the query
VIEWS = {
    "v1_connector_days": (
        "Syncs by day, connector and lane. After 400 days only days of connectors with 10 settled users "
        "or more stay, without CI and pre-releases, and of them only users and affected users.",
        "day role connector lane ci prerelease units affected_units attempts succeeded failed "
        "failed_config canceled in_flight abandoned records",
        f"""
    SELECT d.day, c.role, c.connector, r.lane, e.ci, e.prerelease,
        {MEASURES}
    FROM {FACTS}{CONNECTORS}
    WHERE r.event = 'sync' AND c.connector <> ''
    GROUP BY d.day, c.role, c.connector, r.lane, e.ci, e.prerelease
    UNION ALL
    SELECT day, role, connector, lane, false, false, units, affected_units, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL
    FROM public.connector_days
        """,
    ),
    "v1_connectors": (
        "Which connectors to fix first: windows of 7, 28 and 90 days up to today, lanes cache and "
        "write, without CI and pre-releases. The rate with its interval is in the report `connectors` "
        "of the service: its prior is fitted to the fleet.",
        "window_days role connector rank units use_cases attempts settled succeeded failed "
        "failed_config canceled in_flight abandoned affected_units affected_share failure_rate "
        "failure_rate_upper failure_of_concluded capped_rate burden low_data weighed_units "
        "ephemeral_share surge",
        f"""
    SELECT window_days, role, connector,
        rank() OVER (
            PARTITION BY window_days, role ORDER BY weighed_units * coalesce(capped_rate, 0) DESC,
                attempts DESC, connector
        ) AS rank,
        units, use_cases, attempts, settled, succeeded, failed, failed_config, canceled, in_flight, abandoned,
            affected_units,
        CAST(affected_units AS double precision) / nullif(units, 0) AS affected_share,
        CAST(failed AS double precision) / nullif(settled, 0) AS failure_rate,
        CAST(failed + abandoned AS double precision) / nullif(settled, 0) AS failure_rate_upper,
        CAST(failed AS double precision) / nullif(failed + succeeded, 0) AS failure_of_concluded,
        capped_rate,
        weighed_units * coalesce(capped_rate, 0) AS burden,
        weighed_units < 10 AS low_data,
        weighed_units,
        CAST(ephemeral_units AS double precision) / nullif(units, 0) AS ephemeral_share,
        surge
    FROM (
        SELECT window_days, role, connector,
            count(*) FILTER (WHERE known) AS units,
            CAST(coalesce(sum(use_cases) FILTER (WHERE known), 0) AS bigint) AS use_cases,
            CAST(sum(attempts) AS bigint) AS attempts,
            CAST(sum(attempts - in_flight) AS bigint) AS settled,
            CAST(sum(succeeded) AS bigint) AS succeeded,
            CAST(sum(failed) AS bigint) AS failed,
            CAST(sum(failed_config) AS bigint) AS failed_config,
            CAST(sum(canceled) AS bigint) AS canceled,
            CAST(sum(in_flight) AS bigint) AS in_flight,
            CAST(sum(abandoned) AS bigint) AS abandoned,
            count(*) FILTER (WHERE known AND failed > failed_config) AS affected_units,
            count(*) FILTER (WHERE known AND is_ephemeral) AS ephemeral_units,
            CAST(coalesce(sum(CASE WHEN is_ephemeral THEN least(1, weight * m) ELSE 1 END)
                FILTER (WHERE known), 0)
                AS double precision) AS weighed_units,
            sum(share) / nullif(sum(weight), 0) AS capped_rate,
            coalesce(sum(share) > 0 AND (
                bool_or(first_hour IS NOT NULL AND hour_users > 5 AND (2 * hour_share > all_share
                    OR 2 * hour_users > all_users))
                OR count(*) FILTER (WHERE crowded) > 5 AND (
                    2 * sum(share) FILTER (WHERE crowded) > sum(share) OR 2 * count(*)
                        FILTER (WHERE crowded) > count(weight)
                )
            ), false) AS surge
        FROM (
            SELECT people.*,
                sum(share) OVER of_key AS all_share, count(weight) OVER of_key AS all_users,
                sum(share) OVER of_hour AS hour_share, count(weight) OVER of_hour AS hour_users,
                CAST(count(*) FILTER (WHERE known AND NOT is_ephemeral) OVER of_key + 1 AS double precision)
                    / (coalesce(sum(weight) FILTER (WHERE NOT is_ephemeral) OVER of_key, 0) + 5) AS m
            FROM (
                SELECT users.*,
                    CASE WHEN known THEN least(attempts - in_flight, 5) END AS weight,
                    CASE WHEN known THEN coalesce(
                        least(attempts - in_flight, 5) * CAST(failed - failed_config AS double precision)
                            / nullif(attempts - in_flight, 0), 0
                    ) END AS share
                FROM (
                    SELECT w.window_days, c.role, c.connector, d.unit <> {NOBODY} AS known,
                        coalesce(NOT u.lasting, false) AS is_ephemeral,
                        min(CASE WHEN NOT u.settled THEN u.first_hour END) AS first_hour,
                        bool_or(coalesce(u.crowded AND NOT u.settled, false)) AS crowded,
                        count(DISTINCT d.application_hash) FILTER (WHERE d.application_hash <> {NOBODY})
                            AS use_cases,
                        {ATTEMPTS}, {SUCCEEDED}, {FAILED}, {FAILED_CONFIG}, {CANCELED}, {IN_FLIGHT},
                            {ABANDONED}
                    FROM (VALUES (7), (28), (90)) AS w (window_days)
                    CROSS JOIN {FACTS}{CONNECTORS}
                    LEFT JOIN public.units AS u
                      ON u.bucket = d.bucket AND u.unit = d.unit AND NOT (u.lasting AND u.settled)
                    WHERE d.day > {TODAY} - w.window_days AND d.day <= {TODAY} AND d.day > {TODAY} - 90
                      AND r.event = 'sync' AND r.lane <> 'direct' AND NOT e.ci AND NOT e.prerelease
                          AND c.connector <> ''
                    GROUP BY w.window_days, c.role, c.connector, d.unit <> {NOBODY}, coalesce(NOT u.lasting,
                        false),
                        CASE WHEN NOT u.lasting THEN coalesce(u.setup, d.unit) ELSE d.unit END
                ) AS users
            ) AS people
            WINDOW of_key AS (PARTITION BY window_days, role, connector),
                of_hour AS (PARTITION BY window_days, role, connector, first_hour)
        ) AS measured
        GROUP BY window_days, role, connector
    ) AS sums
        """,
    ),
    "v1_error_days": (
        "Failed syncs by day, connector and exception class.",
        "day role connector lane ci prerelease exception_class failure_class units failed",
        f"""
    SELECT d.day, c.role, c.connector, r.lane, e.ci, e.prerelease, f.exception_class, f.failure_class,
        {UNITS}, {FAILED}
    FROM public.unit_days AS d
    JOIN public.routes AS r ON r.id = d.route
    JOIN public.environments AS e ON e.id = d.environment
    JOIN public.failures AS f ON f.id = d.failure{CONNECTORS}
    WHERE r.event = 'sync' AND c.connector <> ''
    GROUP BY d.day, c.role, c.connector, r.lane, e.ci, e.prerelease, f.exception_class, f.failure_class
        """,
    ),
    "v1_version_days": (
        "Syncs by day, connector and the connector's version; lanes cache and write.",
        "day role connector connector_version ci prerelease units affected_units attempts succeeded "
        "failed failed_config canceled in_flight abandoned records",
        f"""
    SELECT d.day, c.role, c.connector, c.connector_version, e.ci, e.prerelease,
        {MEASURES}
    FROM {FACTS}{CONNECTORS}
    WHERE r.event = 'sync' AND r.lane <> 'direct' AND c.connector <> ''
    GROUP BY d.day, c.role, c.connector, c.connector_version, e.ci, e.prerelease
        """,
    ),
    "v1_platform_days": (
        "Syncs by day and what PyAirbyte ran on; every lane.",
        "day pyairbyte_version python_version os notebook_runtime ci prerelease units affected_units "
        "attempts succeeded failed failed_config canceled in_flight abandoned records",
        f"""
    SELECT d.day, e.version, e.python_version, e.os, e.notebook_runtime, e.ci, e.prerelease,
        {MEASURES}
    FROM {FACTS}
    WHERE r.event = 'sync'
    GROUP BY d.day, e.version, e.python_version, e.os, e.notebook_runtime, e.ci, e.prerelease
        """,
    ),
    "v1_executor_days": (
        "Syncs by day, connector and how the connector was run; lanes cache and write.",
        "day role connector executor_type ci prerelease units affected_units attempts succeeded failed "
        "failed_config canceled in_flight abandoned records",
        f"""
    SELECT d.day, c.role, c.connector, c.executor_type, e.ci, e.prerelease,
        {MEASURES}
    FROM {FACTS}{CONNECTORS}
    WHERE r.event = 'sync' AND r.lane <> 'direct' AND c.connector <> ''
    GROUP BY d.day, c.role, c.connector, c.executor_type, e.ci, e.prerelease
        """,
    ),
    "v1_pair_days": (
        "Syncs by day, source, and where to: a destination or a cache.",
        "day source destination cache_type lane ci prerelease units affected_units attempts succeeded "
        "failed failed_config canceled in_flight abandoned records",
        f"""
    SELECT d.day, r.source_name, r.destination_name, r.cache_type, r.lane, e.ci, e.prerelease,
        {MEASURES}
    FROM {FACTS}
    WHERE r.event = 'sync'
    GROUP BY d.day, r.source_name, r.destination_name, r.cache_type, r.lane, e.ci, e.prerelease
        """,
    ),
    "v1_funnel_days": (
        "Installs, validations, checks and syncs by day and connector; all but syncs are reported at "
        "their end only.",
        "day event role connector ci prerelease units succeeded failed",
        f"""
    SELECT d.day, r.event, c.role, c.connector, e.ci, e.prerelease,
        {UNITS}, {SUCCEEDED}, {FAILED}
    FROM public.unit_days AS d
    JOIN public.routes AS r ON r.id = d.route
    JOIN public.environments AS e ON e.id = d.environment{CONNECTORS}
    WHERE c.connector <> ''
    GROUP BY d.day, r.event, c.role, c.connector, e.ci, e.prerelease
        """,
    ),
    "v1_fleet_days": (
        "All syncs by day, and how far the figures can be trusted.",
        "day lane ci prerelease units attempts succeeded failed canceled in_flight abandoned orphans "
        "from_ledger first_runs corrected without_unit",
        f"""
    SELECT d.day, r.lane, e.ci, e.prerelease,
        {UNITS}, {ATTEMPTS}, {SUCCEEDED}, {FAILED}, {CANCELED}, {IN_FLIGHT}, {ABANDONED},
        CAST(sum(d.orphans) AS bigint) AS orphans,
        CAST(sum(d.from_ledger) AS bigint) AS from_ledger,
        CAST(sum(d.first_runs) AS bigint) AS first_runs,
        CAST(sum(d.corrected) AS bigint) AS corrected,
        CAST(coalesce(sum(d.succeeded + d.failed + d.canceled + d.open) FILTER (WHERE d.unit = {NOBODY}), 0)
            AS bigint)
            AS without_unit
    FROM {FACTS}
    WHERE r.event = 'sync'
    GROUP BY d.day, r.lane, e.ci, e.prerelease
        """,
    ),
    "v1_outcomes": (
        "What became of events, by hour of arrival.",
        "hour outcome reason count",
        """
    SELECT hour, outcome, reason, CAST(sum(count) AS bigint) FROM public.outcomes GROUP BY hour, outcome,
        reason
        """,
    ),
    "v1_tallies": (
        "Counted beside the outcomes, by hour of arrival: requests refused before they were read, "
        "fields that were not stored, what clients had to drop.",
        "hour kind reason count",
        """
    SELECT hour, kind, reason, CAST(sum(count) AS bigint) FROM public.tallies GROUP BY hour, kind, reason
        """,
    ),
    "v1_freshness": (
        "How far the views are behind what came in; one row.",
        "first_day last_day waiting lag_seconds",
        """
    SELECT
        kept.first_day,
        kept.last_day,
        waiting.marks,
        CAST(greatest(coalesce(extract(epoch FROM now() - waiting.since), 0), 0) AS double precision)
    FROM (SELECT min(day) AS first_day, max(day) AS last_day FROM public.unit_days) AS kept
    CROSS JOIN (SELECT count(*) AS marks, min(received_at) AS since FROM public.dirty_sessions) AS waiting
        """,
    ),
    "v1_public_months": (
        "Months whose public figures were published.",
        "month published_at",
        "SELECT month, published_at FROM public.publications",
    ),
    "v1_public_connectors": (
        "The public figures: at least 10 settled users a row, counts rounded to 5, the rest under "
        "`other`; NULL stands for `<5`.",
        "month role connector units affected_units",
        "SELECT month, role, connector, units, affected_units FROM public.public_figures",
    ),
}
# What means something else in one view.
EXCEPTIONS = {
    ("v1_error_days", "units"): "distinct users that met it; not additive over rows",
    ("v1_error_days", "failed"): "attempts that failed with it",
    ("v1_funnel_days", "units"): "distinct users that got this far; not additive over rows",
    ("v1_funnel_days", "succeeded"): "how many succeeded",
    ("v1_funnel_days", "failed"): "how many failed",
    (
        "v1_public_connectors",
        "units",
    ): "distinct settled users: seen over seven days or more; rounded to 5, never fewer than 10",
    (
        "v1_public_connectors",
        "affected_units",
    ): "of them, users with a failure of another class than config, rounded to 5; NULL: 1 to 4, in "
    "`other` 0 to 4",
}
PUBLIC = ("v1_public_months", "v1_public_connectors")

# Roles belong to the cluster: other databases may have made them, or make them now. Who made one sets it up;
# one that exists is left as its owner has it.
MAKE_ROLE = """
DO $$
BEGIN
    CREATE ROLE {role} NOLOGIN;
    ALTER ROLE {role} SET statement_timeout = '{timeout}';
    ALTER ROLE {role} SET default_transaction_read_only = on;
    ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s';
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;  -- made by another database, or by an administrator: `doctor` says if it is missing
END $$
"""
GRANT = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') THEN
        GRANT USAGE ON SCHEMA report TO {role};
        GRANT SELECT ON {views} TO {role};
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    op.execute("CREATE SCHEMA report")
    op.execute(
        "COMMENT ON SCHEMA report IS 'Views for other tools. Columns are only ever added; another "
        "meaning is another view.'"
    )
    for name, (meaning, columns, query) in VIEWS.items():
        names = columns.split()
        op.execute(f"CREATE VIEW report.{name} ({', '.join(names)}) AS {query}")
        comment("VIEW", f"report.{name}", meaning)
        for column in names:
            comment("COLUMN", f"report.{name}.{column}", EXCEPTIONS.get((name, column), MEANINGS[column]))
    for role, timeout, views in (
        ("telemetry_reader", "30s", tuple(VIEWS)),
        ("telemetry_public", "10s", PUBLIC),
    ):
        op.execute(MAKE_ROLE.format(role=role, timeout=timeout))
        op.execute(GRANT.format(role=role, views=", ".join(f"report.{view}" for view in views)))


def comment(kind: str, name: str, meaning: str) -> None:
    quoted = meaning.replace("'", "''")
    op.execute(f"COMMENT ON {kind} {name} IS '{quoted}'")


def downgrade() -> None:
    # The roles stay: they belong to the cluster, and other databases may use them.
    op.execute("DROP SCHEMA report CASCADE")
