"""The reports, one module each: columns, queries, and how answers become rows."""
