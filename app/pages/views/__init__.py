"""One module a page: from tables to what its template shows."""
