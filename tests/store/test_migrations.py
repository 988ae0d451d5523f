"""The migrations go up, down to nothing and up again."""

import subprocess
import sys

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from app.store import migrations
from tests.look import Look

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


def test_files_are_named_by_their_revisions() -> None:
    scripts = ScriptDirectory.from_config(migrations.configure())
    assert migrations.known() == {script.revision for script in scripts.walk_revisions()}
    assert migrations.head() == scripts.get_current_head()


def test_a_start_on_a_migrated_database_goes_without_alembic(bare: Look, database_url: str) -> None:
    code = (
        "import sys, app.main\nfrom app.store import migrations\n"
        f"migrations.migrate({database_url!r})\n"
        "sys.exit(', '.join({'alembic', 'httpx', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert bare.value("SELECT version_num FROM alembic_version") == migrations.head()
