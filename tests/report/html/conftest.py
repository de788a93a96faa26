"""A real browser, where the machine has one."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """Chromium with a page in it, as a person sees it."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver, self.folder, self.pages = driver, folder, 0

    def open(self, page: bytes, *, width: int = 1280, dark: bool = False) -> None:
        """Show a page from a file, as a mail program would."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.logs("browser"), self.logs("performance")
        self.pages += 1
        file = self.folder / f"page{self.pages}.html"
        file.write_bytes(page)
        self.driver.get(file.as_uri())

    def run(self, script: str, *given: object) -> Any:
        """What a script says of the page."""
        return self.driver.execute_script(script, *given)

    def find(self, selector: str) -> list[Any]:
        """The elements of a selector."""
        return self.driver.find_elements("css selector", selector)

    def seen(self, selector: str) -> list[str]:
        """The words of the elements of a selector that can be seen."""
        return [one.text for one in self.find(selector) if one.is_displayed()]

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def logs(self, kind: str) -> list[dict[str, Any]]:
        """What the browser has logged since it was asked."""
        return self.driver.get_log(kind)

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened."""
        told = [json.loads(entry["message"])["message"] for entry in self.logs("performance")]
        return [
            one["params"]["request"]["url"]
            for one in told
            if one["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """Debian's Chromium, driven by its own driver."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs chromium and chromium-driver")
    folder = tmp_path_factory.mktemp("browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield Browser(driver, folder)
    driver.quit()


@pytest.fixture(scope="session")
def axe(browser, tmp_path_factory) -> Callable[[], list[str]]:
    """What axe-core finds wrong with the page that is shown, by WCAG 2.1 A and AA."""
    folder = tmp_path_factory.mktemp("axe")
    pack = ["npm", "pack", "--silent", "axe-core@4"]
    if not shutil.which("npm") or subprocess.run(pack, cwd=folder, check=False).returncode:
        pytest.skip("axe-core cannot be had here")
    with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        script = source.read().decode()

    def violations() -> list[str]:
        browser.run(script)
        found = browser.driver.execute_async_script(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(arguments[0])"
        )
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    return violations
