-- Counts of connector versions, before they are rated.
-- Grain: one row a window, connector and version. Reads: the stages version_numbers and counts.
SELECT names.connector, names.connector_version, counts.*
FROM counts
JOIN (SELECT DISTINCT number, connector, connector_version FROM version_numbers) AS names
    ON names.number = counts.number
