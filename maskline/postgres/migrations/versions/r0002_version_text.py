"""Versions as text: "2.0", "2.00" and "0.2.6" are three versions, and no integer keeps them apart.

ALTER COLUMN … TYPE rewrites the table while nobody may read it, so only a small table is altered so. In another, a new
column takes the values, a trigger keeps it equal, and the two change places. Then it is the last of the columns.

Revision ID: 0002
Revises: 0001
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import IS_OWNERS_TABLE, leaves

revision = "0002"
down_revision = "0001"

SMALL_BYTES = 8 * 1024 * 1024
"""A table that is rewritten in less than half a second."""

_LEAVES = leaves("to_regclass('user_logins')::oid")
_ALL = f"(SELECT to_regclass('user_logins')::oid UNION ({_LEAVES}))"

_IS_INTEGER = """EXISTS (
            SELECT FROM pg_attribute
            WHERE attrelid = 'user_logins'::regclass AND attname = 'app_version' AND atttypid = 'integer'::regtype
        )"""

_DEPENDENTS = f"""
        SELECT DISTINCT pg_depend.classid, pg_depend.objid, CASE
            WHEN pg_class.relkind IN ('v', 'm') THEN format('view %I.%I', nspname, relname)
            WHEN pg_class.oid IS NOT NULL THEN format('rule %I of %I.%I', rulename, nspname, relname)
            ELSE pg_describe_object(pg_depend.classid, pg_depend.objid, pg_depend.objsubid)
        END AS what
        FROM pg_depend
        JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid AND attname = 'app_version'
        LEFT JOIN pg_attrdef ON classid = 'pg_attrdef'::regclass AND pg_attrdef.oid = objid
            AND adrelid = attrelid AND adnum = attnum
        LEFT JOIN pg_constraint ON classid = 'pg_constraint'::regclass AND pg_constraint.oid = objid
        LEFT JOIN pg_rewrite ON classid = 'pg_rewrite'::regclass AND pg_rewrite.oid = objid
        LEFT JOIN pg_class ON pg_class.oid = ev_class
        LEFT JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
        WHERE refclassid = 'pg_class'::regclass AND refobjid IN {_ALL}
          AND (pg_attrdef.oid IS NULL OR attgenerated <> '')
          AND (pg_constraint.oid IS NULL OR contype <> 'n' AND conname <> 'maskline_app_version_not_null')
"""  # noqa: S608 - built from constants
"""What depends on the column, but for its own default and NOT NULL, which the new column gets, too."""

_REWRITTEN_WITH_IT = """(classid = 'pg_class'::regclass AND (SELECT relkind FROM pg_class WHERE oid = objid) = 'i'
                OR classid = 'pg_constraint'::regclass AND (SELECT contype FROM pg_constraint WHERE oid = objid)
                    IN ('p', 'u'))"""
"""What ALTER COLUMN … TYPE brings along by itself."""

_RUN_BY_UPDATES = f"""
        SELECT format('trigger %I of %s', tgname, tgrelid::regclass)
        FROM pg_trigger
        WHERE tgrelid IN {_ALL} AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0
          AND tgname <> 'zz_maskline_app_version'
        UNION ALL
        SELECT format('rule %I of %s', rulename, ev_class::regclass)
        FROM pg_rewrite WHERE ev_class IN {_ALL} AND ev_type = '2'
"""  # noqa: S608 - built from constants
"""What of the owner's would run for each row that is copied from the one column to the other."""

_RAISE = """RAISE EXCEPTION 'user_logins.app_version is an integer and has to become varchar(32), and in the way is: %',
                    obstacles
                    USING HINT = 'Nothing was changed. Drop it (or disable the trigger), run migrate again, and make it'
                        ' anew. Or, when nobody needs the table, do it yourself, which rewrites the table while nobody'
                        ' can read it: ALTER TABLE user_logins ALTER COLUMN app_version TYPE varchar(32)';"""

_BEGIN = f"""
    DO $begin$
    DECLARE
        obstacles text;
        is_small boolean;
    BEGIN
        IF NOT {IS_OWNERS_TABLE} THEN
            RETURN;
        END IF;
        IF NOT {_IS_INTEGER} THEN
            RETURN;
        END IF;
        SELECT coalesce(sum(pg_relation_size(oid)), 0) <= {SMALL_BYTES} INTO is_small FROM ({_LEAVES}) AS leaves;
        SELECT string_agg(what, ', ' ORDER BY what) INTO obstacles
        FROM (
            SELECT what FROM ({_DEPENDENTS}) AS dependents WHERE NOT (is_small AND {_REWRITTEN_WITH_IT})
            UNION ALL
            SELECT * FROM ({_RUN_BY_UPDATES}) AS run_by_updates (what) WHERE NOT is_small
        ) AS obstacles;
        IF obstacles IS NOT NULL THEN
            {_RAISE}
        END IF;
        IF is_small THEN
            DROP TRIGGER IF EXISTS zz_maskline_app_version ON user_logins;
            ALTER TABLE user_logins DROP COLUMN IF EXISTS maskline_app_version;
            ALTER TABLE user_logins ALTER COLUMN app_version TYPE varchar(32) USING app_version::text;
        ELSE
            ALTER TABLE user_logins ADD COLUMN IF NOT EXISTS maskline_app_version varchar(32);
            CREATE OR REPLACE FUNCTION maskline_copy_app_version() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.maskline_app_version := NEW.app_version::text;
                RETURN NEW;
            END $$;
            DROP TRIGGER IF EXISTS zz_maskline_app_version ON user_logins;
            -- The last of all triggers by name, so that it copies what others made of the row. Also for replication.
            CREATE TRIGGER zz_maskline_app_version BEFORE INSERT OR UPDATE ON user_logins
                FOR EACH ROW EXECUTE FUNCTION maskline_copy_app_version();
            ALTER TABLE user_logins ENABLE ALWAYS TRIGGER zz_maskline_app_version;
        END IF;
    END $begin$
"""  # noqa: S608 - built from constants

_HAS_COPY = """EXISTS (
            SELECT FROM pg_attribute
            WHERE attrelid = to_regclass('user_logins') AND attname = 'maskline_app_version' AND NOT attisdropped
        )"""

_COPY = f"""
    SELECT oid::regclass::text, format(
        'UPDATE ONLY %s SET maskline_app_version = app_version::text WHERE ctid >= :first AND ctid < :last'
        ' AND maskline_app_version IS DISTINCT FROM app_version::text', oid::regclass)
    FROM ({_LEAVES}) AS leaves
    WHERE {_HAS_COPY}
"""  # noqa: S608 - built from constants

_IS_NOT_NULL = """EXISTS (
            SELECT FROM pg_attribute
            WHERE attrelid = to_regclass('user_logins') AND attname = 'app_version' AND attnotnull
        )"""

_ADD_CHECK = f"""
    SELECT 'ALTER TABLE user_logins ADD CONSTRAINT maskline_app_version_not_null'
        ' CHECK (maskline_app_version IS NOT NULL) NOT VALID'
    WHERE {_HAS_COPY} AND {_IS_NOT_NULL} AND NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = to_regclass('user_logins') AND conname = 'maskline_app_version_not_null'
    )
"""  # noqa: S608 - built from constants
"""With it, SET NOT NULL need not read the table. Validating it makes nobody wait."""

_VALIDATE_CHECK = """
    SELECT 'ALTER TABLE user_logins VALIDATE CONSTRAINT maskline_app_version_not_null'
    FROM pg_constraint
    WHERE conrelid = to_regclass('user_logins') AND conname = 'maskline_app_version_not_null' AND NOT convalidated
"""

_PROVE = f"""
    DO $prove$
    DECLARE
        differs boolean := false;
    BEGIN
        IF {_HAS_COPY} THEN
            EXECUTE 'SELECT EXISTS (SELECT FROM user_logins'
                ' WHERE maskline_app_version IS DISTINCT FROM app_version::text)' INTO differs;
        END IF;
        IF differs THEN
            RAISE EXCEPTION 'user_logins: the copy of app_version is not whole' USING HINT = 'Run migrate again.';
        END IF;
    END $prove$
"""  # noqa: S608 - built from constants

_SWAP = f"""
    DO $swap$
    DECLARE
        replaced record;
        privilege record;
        obstacles text;
    BEGIN
        IF NOT {_HAS_COPY} THEN
            RETURN;
        END IF;
        LOCK TABLE user_logins IN ACCESS EXCLUSIVE MODE;
        SELECT string_agg(what, ', ' ORDER BY what) INTO obstacles FROM ({_DEPENDENTS}) AS dependents;
        IF obstacles IS NOT NULL THEN
            {_RAISE}
        END IF;
        SELECT attnotnull, attacl, col_description(attrelid, attnum) AS comment,
               (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum) AS value
        INTO replaced
        FROM pg_attribute WHERE attrelid = 'user_logins'::regclass AND attname = 'app_version';
        IF replaced.value IS NOT NULL THEN
            EXECUTE format(
                'ALTER TABLE user_logins ALTER COLUMN maskline_app_version SET DEFAULT (%s)::text', replaced.value);
        END IF;
        IF replaced.attnotnull THEN
            ALTER TABLE user_logins ALTER COLUMN maskline_app_version SET NOT NULL;
        END IF;
        IF replaced.comment IS NOT NULL THEN
            EXECUTE format('COMMENT ON COLUMN user_logins.maskline_app_version IS %L', replaced.comment);
        END IF;
        FOR privilege IN SELECT * FROM aclexplode(replaced.attacl) LOOP
            EXECUTE format('GRANT %s (maskline_app_version) ON user_logins TO %s%s', privilege.privilege_type,
                CASE privilege.grantee WHEN 0 THEN 'PUBLIC' ELSE privilege.grantee::regrole::text END,
                CASE WHEN privilege.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        END LOOP;
        DROP TRIGGER zz_maskline_app_version ON user_logins;
        DROP FUNCTION maskline_copy_app_version();
        ALTER TABLE user_logins DROP CONSTRAINT IF EXISTS maskline_app_version_not_null;
        ALTER TABLE user_logins DROP COLUMN app_version;
        ALTER TABLE user_logins RENAME COLUMN maskline_app_version TO app_version;
    END $swap$
"""  # noqa: S608 - built from constants


def upgrade() -> None:
    """Turn the integer into text, keeping every version; a table that has text already stays as it is."""
    steps.short("0002 app_version begun", _BEGIN)
    steps.through_pages("0002 app_version copied", _COPY)
    steps.each("0002 app_version checked", _ADD_CHECK)
    steps.alone("0002 app_version validated", _VALIDATE_CHECK)
    steps.short("0002 app_version proved", _PROVE)
    steps.short("0002 app_version swapped", _SWAP)


def downgrade() -> None:
    """Turn text back into an integer, unless that would lose a version. It rewrites the table under a lock."""
    steps.short(
        "0002 app_version an integer",
        rf"""
        DO $$
        DECLARE
            standing_rows bigint;
            standing_versions text;
        BEGIN
            IF NOT {IS_OWNERS_TABLE} THEN
                RETURN;
            END IF;
            LOCK TABLE user_logins IN ACCESS EXCLUSIVE MODE;
            WITH standing AS (
                SELECT app_version, count(*) AS row_count
                FROM user_logins
                WHERE CASE
                    WHEN app_version ~ '^(0|-?[1-9][0-9]{{0,9}})$'
                    THEN app_version::bigint NOT BETWEEN -2147483648 AND 2147483647
                    ELSE app_version IS NOT NULL
                END
                GROUP BY app_version
            ), numbered AS (
                SELECT *, row_number() OVER (ORDER BY row_count DESC, app_version) AS place FROM standing
            )
            SELECT coalesce(sum(row_count), 0),
                   string_agg(format('%L (%s rows)', app_version, row_count), ', ' ORDER BY place)
                       FILTER (WHERE place <= 10)
                   || CASE WHEN count(*) > 10 THEN format(' and %s more versions', count(*) - 10) ELSE '' END
            INTO standing_rows, standing_versions
            FROM numbered;
            IF standing_rows > 0 THEN
                RAISE EXCEPTION
                    'going back to an integer app_version would lose the version of % rows of user_logins: %',
                    standing_rows, standing_versions
                    USING HINT = 'Find them with: SELECT * FROM user_logins'
                        ' WHERE length(app_version) > 9 OR app_version !~ ''^(0|-?[1-9][0-9]*)$''';
            END IF;
            ALTER TABLE user_logins ALTER COLUMN app_version TYPE integer USING app_version::integer;
        END $$
        """,  # noqa: S608 - built from constants
    )
