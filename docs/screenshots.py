"""Make the pictures of README from a running service: `python
docs/screenshots.py http://127.0.0.1:8000 TOKEN`.

Needs playwright (of the development environment) and Debian's `chromium`; fill the service with `demo` first.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

FOLDER: Final = Path(__file__).with_name("images")
SHOTS: Final = (
    ("overview", "/reports", "light"),
    ("connector", "/reports/connectors/source-salesforce", "dark"),
)
FLAGS: Final = ("--headless", "--no-sandbox", "--disable-gpu")
WIDTH, HEIGHT = 1440, 900
MOST_BYTES: Final = 300_000


def main(url: str, token: str) -> None:
    """Write the pictures to docs/images."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for name, path, theme in SHOTS:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=theme)  # type: ignore[arg-type]
            page.goto(f"{url}/reports?token={token}")
            page.goto(f"{url}{path}")
            page.evaluate("document.fonts.ready.then(() => true)")
            file = FOLDER / f"{name}.png"
            page.screenshot(path=file, full_page=True)
            if file.stat().st_size > MOST_BYTES:
                sys.exit(f"{file} has more than {MOST_BYTES} bytes.")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
