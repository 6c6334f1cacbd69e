"""How Alembic reaches the database: over the connection it is given, or, for ``--sql``, not at all."""

from alembic import context

from maskline.postgres.revision import VERSION_TABLE


def run_migrations() -> None:
    """Run the revisions that Alembic chose; what is one transaction, the steps and the caller say."""
    connection = context.config.attributes.get("connection")
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            version_table=VERSION_TABLE,
            literal_binds=True,
            transactional_ddl=False,
            dialect_opts={"paramstyle": "named"},  # psycopg's own would print each % twice
        )
    else:
        context.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=False)
    context.run_migrations()


run_migrations()
