-- The report `connectors`, before it is ranked, with how long syncs take.
-- Grain: that of the stage connectors. Reads: the stages connectors and durations.
--
-- timed and the percentiles are of the window.
SELECT connectors.*, coalesce(durations.timed, 0) AS timed, durations.duration_p50, durations.duration_p90
FROM connectors
LEFT JOIN durations ON durations.number = connectors.number AND connectors.is_current
