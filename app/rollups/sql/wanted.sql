-- The marks, as a step of their own: a distributed table is joined to no table of this connection.
-- Grain: that of `marks`. Reads: the table `marks` of this connection.
SELECT * FROM marks
