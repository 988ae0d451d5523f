-- What the filters leave, with what is known of each user: told once, ahead of all facets.
-- Grain: that of scope. Index: none, the table units is hashed: those who are ephemeral or not settled.
-- Reads: the stage scope. Parameter: nobody (stands for no user).
--
-- unit, is_ephemeral, first_hour, crowded: as in units.sql, which joins them after adding up by user.
SELECT
    scope.is_current, scope.day, scope.route, scope.environment, scope.failure,
    scope.succeeded, scope.failed, scope.canceled, scope.open, scope.in_flight, scope.timed, scope.durations,
    coalesce(NOT lasting, false) AS is_ephemeral,
    CASE WHEN coalesce(NOT lasting, false) THEN coalesce(setup, scope.unit) ELSE scope.unit END AS unit,
    CASE WHEN NOT units.settled THEN first_hour END AS first_hour,
    coalesce(units.crowded AND NOT units.settled, false) AS crowded
FROM scope
LEFT JOIN units
  ON units.bucket = scope.bucket AND units.unit = scope.unit AND NOT (lasting AND units.settled)
 AND scope.unit <> CAST(:nobody AS bigint)
