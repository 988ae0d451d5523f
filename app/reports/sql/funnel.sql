-- The report `funnel`: how far users get.
-- Grain: one row a step: install, validate, check, sync.
-- Reads: the stage furthest.
--
-- A user enters a step with an event of it or of a later one, tries it with an event of it, and survives it
-- by success, or by an event of a later step: whoever syncs has got past the check. Installs are seen once
-- only, so a user who installed before the window is not missing.
SELECT
    numbers.step,
    count(*) FILTER (WHERE furthest >= numbers.step) AS entered,
    count(*) FILTER (WHERE tried & (1 << numbers.step) <> 0) AS tried,
    count(*) FILTER (WHERE succeeded & (1 << numbers.step) <> 0) AS succeeded,
    count(*) FILTER (WHERE furthest > numbers.step OR succeeded & (1 << numbers.step) <> 0) AS survived
FROM generate_series(1, 4) AS numbers (step)
LEFT JOIN furthest ON true
GROUP BY numbers.step
ORDER BY numbers.step
