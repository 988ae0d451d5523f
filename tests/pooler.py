"""PgBouncer as a process of a test's own: Debian's, where it is installed."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.look import wait_until
from tests.service import find_free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Pooler:
    """PgBouncer with its defaults before a database on a Unix socket, in a pool
    mode; `url` leads through it."""

    def __init__(self, folder: Path, database_url: str, mode: str) -> None:
        assert PGBOUNCER is not None
        url = make_url(database_url)
        server = str(url.query["host"])
        port = find_free_port()
        folder.mkdir(exist_ok=True)
        (folder / "users").write_text(f'"{url.username}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server} port={url.query.get('port', 5432)}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {folder / 'users'}\npool_mode = {mode}\n"
        )
        command = [PGBOUNCER, "--quiet", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # PgBouncer, too, refuses to run as root
            owner = Path(server).stat().st_uid
            for path in (folder, *folder.iterdir()):
                os.chown(path, owner, -1)
            for parent in list(folder.parents)[:-2]:
                parent.chmod(parent.stat().st_mode | 0o011)
            self.process = subprocess.Popen(command, user=owner, group=owner, extra_groups=[])
        else:
            self.process = subprocess.Popen(command)
        self.url = f"postgresql://{url.username}@127.0.0.1:{port}/{url.database}"
        wait_until(self.answers, "the pooler answers")

    def answers(self) -> bool:
        """Whether a connection leads to the database."""
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
            return False
        return True

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)
