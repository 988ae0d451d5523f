-- What the filters leave, by the version that is asked for.
-- Grain: that of scope. Reads: the stages routes_asked, environments_asked, scope and release_numbers.
-- Parameter: connector (NULL for PyAirbyte's versions).
SELECT
    is_current, release_numbers.number, day, bucket, unit, route, environment, failure, application_hash,
        records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
JOIN routes_asked ON routes_asked.id = scope.route
JOIN environments_asked ON environments_asked.id = scope.environment
JOIN release_numbers ON release_numbers.version = CASE
    WHEN CAST(:connector AS text) IS NULL THEN environments_asked.version
    WHEN source_name = CAST(:connector AS text) THEN source_version
    ELSE destination_version
END
