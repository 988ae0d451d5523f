-- The facets by number: 16 n + the number of the section, n the number of the item within it.
-- Grain: one row a section and item. Reads: the stages route_facets and environment_facets. Parameters:
-- prior_from, last_day.
--
-- before, error before: of the window before. day: n days after the first that is read. error by version: the
-- exception, a tab, the version; n is the failure's number x 64 + that of the version, of which there are 51
-- at most.
SELECT 0 AS number, 'total' AS section, '' AS item, NULL AS kind
UNION ALL
SELECT 1, 'before', '', NULL
UNION ALL
SELECT 16 * n + 2, 'day', CAST(CAST(:prior_from AS date) + n AS text), NULL
FROM generate_series(0, CAST(:last_day AS date) - CAST(:prior_from AS date)) AS days (n)
UNION ALL
SELECT DISTINCT 16 * version_number + 3, 'version', version, NULL FROM route_facets
UNION ALL
SELECT DISTINCT 16 * target_number + 4, 'with', target, target_kind FROM route_facets
UNION ALL
SELECT DISTINCT 16 * each.n + each.section, each.name, each.item, NULL
FROM environment_facets
CROSS JOIN LATERAL (
    VALUES
        (5, pyairbyte_number, 'pyairbyte', pyairbyte),
        (6, python_number, 'python', python),
        (7, os_number, 'os', os),
        (8, notebook_number, 'notebook', notebook),
        (9, executor_number, 'executor', executor)
) AS each (section, n, name, item)
UNION ALL
SELECT 16 * failures.id + each.section, each.name, coalesce(nullif(exception_class, ''), '(none named)'), NULL
FROM failures
CROSS JOIN (VALUES (10, 'error'), (12, 'error before')) AS each (section, name)
UNION ALL
SELECT
    16 * (64 * failures.id + versions.version_number) + 11, 'error by version',
    coalesce(nullif(exception_class, ''), '(none named)') || chr(9) || versions.version, NULL
FROM failures
CROSS JOIN (SELECT DISTINCT version_number, version FROM route_facets) AS versions
