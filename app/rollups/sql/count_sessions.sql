-- Sessions that took a large part of this recomputation.
-- Grain: one row such a session: its key, and its share of all attempts recomputed.
-- Reads: the table `contributions` of this connection. Parameter: many (attempts from which on a session is
-- watched).
SELECT
    session_key,
    sum(times) / CAST((SELECT sum(times) FROM contributions) AS double precision) AS share
FROM contributions
GROUP BY session_key
HAVING sum(times) >= :many
