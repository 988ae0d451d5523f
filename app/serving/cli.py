"""The commands `serve` and `migrate`."""

from typing import Annotated

import typer

from app.settings import load_settings, override


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; else TELEMETRY_HOST.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; else TELEMETRY_PORT.", min=0, max=65_535)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of server processes; else TELEMETRY_WORKERS.", min=1, max=64)
    ] = None,
) -> None:
    """Start the service, with the embedded Postgres unless TELEMETRY_DATABASE_URL names another.

    Example: pyairbyte-telemetry serve --port 9000
    """
    from app.serving import server  # noqa: PLC0415 -- half a second that `--help` need not wait for

    override(host=host, port=port, workers=workers)
    server.serve(load_settings())


def migrate() -> None:
    """Bring the database's schema up to date; `serve` does it too.

    Example: TELEMETRY_DATABASE_URL=postgresql://user@host/telemetry pyairbyte-telemetry migrate
    """
    from app.store import migrations  # noqa: PLC0415
    from app.store.database import hold  # noqa: PLC0415

    with hold(load_settings(), create=True) as database:
        migrations.migrate(database.url)
    typer.echo(f"The schema is at revision {migrations.head()}.")
