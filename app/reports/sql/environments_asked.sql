-- Environments that the filters leave.
-- Grain: one row an environment. Index: none, a few thousand rows.
-- Parameters: ci and prerelease (exclude, include, only), version (PyAirbyte's; NULL for all).
SELECT *
FROM environments
WHERE CASE CAST(:ci AS text) WHEN 'exclude' THEN NOT ci WHEN 'only' THEN ci ELSE true END
  AND CASE CAST(:prerelease AS text) WHEN 'exclude' THEN NOT prerelease WHEN 'only' THEN prerelease
      ELSE true END
  AND (CAST(:version AS text) IS NULL OR version = CAST(:version AS text))
