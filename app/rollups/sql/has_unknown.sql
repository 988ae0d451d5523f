-- Whether words came up that have no number yet (a new version, a new pair of connectors), or are used for
-- the first time today. Seldom: looking first, for each signal, would cost every step a tenth of its time.
-- Grain: one row. Index: none, all of the table is read. Reads: the table `contributions` of this connection.
SELECT EXISTS (SELECT FROM contributions WHERE route = 0 OR environment = 0 OR failure = -1)
