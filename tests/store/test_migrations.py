"""The migrations go up, down to nothing and up again."""

from alembic import command
from sqlalchemy import create_engine, text

from app.store import migrations

SCHEMA = """
    SELECT table_schema || '.' || table_name || '.' || column_name,
        ordinal_position || ' ' || udt_name || ' ' || is_nullable
    FROM information_schema.columns WHERE table_schema IN ('public', 'report')
    UNION ALL
    SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT typname, typtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
    ORDER BY 1, 2
"""


def test_down_to_nothing_and_up_again(empty_url: str) -> None:
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        configuration = migrations.configure(connection)
        command.upgrade(configuration, "head")
        connection.commit()
        schema = connection.execute(text(SCHEMA)).all()
        command.downgrade(configuration, "base")
        connection.commit()
        left = {str(row[0]) for row in connection.execute(text(SCHEMA))}
        assert {name.partition(".")[2].partition(".")[0] for name in left if name.startswith("public.")} <= {
            "alembic_version"
        }
        command.upgrade(configuration, "head")
        connection.commit()
        assert connection.execute(text(SCHEMA)).all() == schema
    engine.dispose()
