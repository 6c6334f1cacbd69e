"""A real browser without a screen: Debian's Chromium, driven by Selenium.

As a program it takes pictures of the page of a running job, for docs/operations.md::

    ./run_local.sh --follow                                     # says where its page is
    .venv/bin/python -m tests.browser http://127.0.0.1:PORT/ docs
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WAIT_SECONDS = 30
DESKTOP = (1280, 1180)
PHONE = (390, 844)


@contextlib.contextmanager
def open_browser(size: tuple[int, int] = DESKTOP, *, is_dark: bool = False) -> Iterator[Chrome]:
    """Have a browser with an empty profile while the block runs; skip the test where there is none.

    Args:
        size: Width and height of its window in CSS pixels.
        is_dark: Whether its user prefers dark colors.
    """
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if chromium is None or driver is None:
        pytest.skip("Chromium is not there; run apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        with Chrome(options=options, service=Service(driver)) as browser:
            emulation = {"features": [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulation)
            # A window is never narrower than 500 pixels; a phone is.
            metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            yield browser


def await_text(browser: Chrome, element_id: str, text: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until an element shows a text.

    Args:
        browser: The browser.
        element_id: The element's id.
        text: The whole text.
        seconds: How long to wait at most.

    Raises:
        selenium.common.TimeoutException: It did not; with the text that it shows.
    """

    def shows(_: object) -> bool:
        return bool(browser.find_element(By.ID, element_id).text == text)

    found = browser.find_element(By.ID, element_id)
    WebDriverWait(browser, seconds, 0.1).until(shows, f"{element_id} is not {text!r}, it was {found.text!r}")


def complaints(browser: Chrome) -> list[str]:
    """Return what the page has written to its console: errors, violations of its policy, files that are not there."""
    return [str(entry["message"]) for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def take_pictures(url: str, folder: Path) -> None:
    """Take pictures of a page, light and dark.

    Args:
        url: The page.
        folder: Where to; the files are ``page-light.png`` and ``page-dark.png``.
    """
    for scheme in ("light", "dark"):
        with open_browser(is_dark=scheme == "dark") as browser:
            browser.get(url)
            WebDriverWait(browser, WAIT_SECONDS).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".u-legend"))
            browser.save_screenshot(str(folder / f"page-{scheme}.png"))


if __name__ == "__main__":
    take_pictures(sys.argv[1], Path(sys.argv[2]))
