"""Reports: SQL over the stored events in, a table out, rendered as text, JSON or CSV."""
