"""How Alembic reaches the database: over the connection it is given, or, for ``--sql``, not at all."""

from alembic import context

from maskline.postgres.revision import VERSION_TABLE


def run_migrations() -> None:
    """Run the revisions that Alembic chose, all in one transaction."""
    connection = context.config.attributes.get("connection")
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            version_table=VERSION_TABLE,
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},  # psycopg2's own would print each % twice
        )
    else:
        context.configure(connection=connection, version_table=VERSION_TABLE)
    with context.begin_transaction():
        # Waiting for a long-running reader would make every later reader wait behind us.
        context.execute("SET LOCAL lock_timeout = '10s'")
        context.run_migrations()


run_migrations()
