-- What each user did with the connector that is asked for, by every facet of it.
-- Grain: one row a section, item and unit. Reads: the stages routes_asked, environments_asked, scope and
-- named_versions.
--
-- before: the window before; days are those of both windows, the other sections of the window only. with: where it went (a destination, else a cache), or of a destination what was written (a source, else a result that
-- was read before). error by version: the exception, a tab, the version. error: failed attempts only; the other sections hold them, too.
SELECT
    facets.section, facets.item, scope.bucket, scope.unit,
    sum(succeeded) AS succeeded,
    sum(failed) AS failed,
    sum(CASE WHEN failures.failure_class = 'config' THEN 0 ELSE failed END) AS ranked,
    sum(canceled) AS canceled,
    sum(open) AS open,
    sum(in_flight) AS in_flight
FROM scope
JOIN routes_asked ON routes_asked.id = scope.route
JOIN environments_asked ON environments_asked.id = scope.environment
JOIN named_versions AS releases ON releases.kind = 'environment' AND releases.version = environments_asked.version
JOIN named_versions AS versions ON versions.kind = 'route' AND versions.version = routes_asked.connector_version
LEFT JOIN failures ON failures.id = scope.failure
CROSS JOIN LATERAL (
    VALUES
        (CASE WHEN scope.is_current THEN 'total' ELSE 'before' END, ''),
        ('day', CAST(scope.day AS text)),
        ('version', versions.name),
        ('error', CASE failures.exception_class WHEN '' THEN '(none named)' ELSE failures.exception_class END),
        ('error by version', CASE failures.exception_class WHEN '' THEN '(none named)' ELSE failures.exception_class END
            || chr(9) || versions.name),
        ('pyairbyte', releases.name),
        ('python', regexp_replace(python_version, '^([0-9]+[.][0-9]+)[^ ]*', '\1')),
        ('os', regexp_replace(os, ' [(]release.*$', '')),
        ('notebook', CASE notebook_runtime WHEN '' THEN 'none' ELSE notebook_runtime END),
        ('executor', CASE CAST(:role AS text) WHEN 'source' THEN source_executor_type ELSE destination_executor_type END),
        ('with', CASE
            WHEN CAST(:role AS text) = 'destination' THEN coalesce(nullif(source_name, ''), '(a result)')
            WHEN lane = 'write' THEN destination_name
            ELSE cache_type
        END)
) AS facets (section, item)
WHERE facets.item IS NOT NULL AND (scope.is_current OR facets.section IN ('before', 'day'))
GROUP BY facets.section, facets.item, scope.bucket, scope.unit
