"""Making the roles of maskline, which belong to the whole cluster and may be there for another database."""

from __future__ import annotations


def create_role(role: str) -> str:
    """Return the statement that creates a role, which cannot log in, where there is none of that name.

    Args:
        role: Its name.
    """
    return f"""
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                CREATE ROLE {role} NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database's migration was quicker
        END $$
    """


def drop_role(role: str) -> str:
    """Return the statement that drops a role, unless somebody else uses it.

    Args:
        role: Its name.
    """
    return f"""
        DO $$
        BEGIN
            DROP ROLE {role};
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            RAISE NOTICE 'role {role} is still in use and stays';
        END $$
    """
