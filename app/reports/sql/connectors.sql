-- The report `connectors`, before it is ranked.
-- Grain: one row a window (is_current, else the one before) and connector.
-- Reads: the stages routes_asked and counts.
SELECT names.connector, counts.*
FROM counts
JOIN (SELECT DISTINCT number, connector FROM routes_asked) AS names ON names.number = counts.number
