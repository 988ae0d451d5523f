-- The first day of the history that there is: the first with a twentieth of what users did on the busiest
-- day. Grain: one row; NULL without data. Reads: the stage version_days.
--
-- What senders with slow clocks date weeks before the service began is no history: by it nobody would have
-- returned.
SELECT min(day) AS day
FROM (SELECT day, count(*) AS reported, max(count(*)) OVER () AS most FROM version_days GROUP BY day) AS days
WHERE 20 * reported >= most
