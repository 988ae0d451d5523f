-- What the filters leave, by the connector that routes_asked numbered.
-- Grain: that of scope. Reads: the stage scope.
SELECT * FROM scope
