"""The database: connections, queries, the idempotent writer, migrations."""
