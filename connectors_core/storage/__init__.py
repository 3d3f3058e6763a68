"""Where rows are kept: in memory, in SQLite, in PostgreSQL. They meet one conformance suite."""
