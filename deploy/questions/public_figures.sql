-- The figures that are published: k-anonymous, a calendar month each.
-- Picture: table.
SELECT month, role, connector, units, affected_units
FROM report.v1_public_connectors
ORDER BY month DESC, role, units DESC;
