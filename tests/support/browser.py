"""A real browser for end-to-end tests: Debian's Chromium, driven by Playwright.

It fails a test that leaves an error in the browser's console, as a broken content policy or script does.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

_AXE = Path(__file__).with_name("axe") / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_QUIET += ["--disable-component-update", "--disable-sync"]

DESK, PHONE = (1200, 800), (375, 812)


class Desk:
    """A browser and the folder for its pictures: ``BLUEGREEN_SCREENSHOTS``, or else ``folder``."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = Path(os.environ.get("BLUEGREEN_SCREENSHOTS", folder))
        self._folder.mkdir(parents=True, exist_ok=True)
        self.complaints: list[str] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[Desk]:
        program = shutil.which("chromium")
        assert program, "chromium is missing: run scripts/install-test-prerequisites"
        async with async_playwright() as play:
            browser = await play.chromium.launch(executable_path=program, args=_QUIET)
            try:
                desk = cls(browser, folder)
                yield desk
                assert not desk.complaints, desk.complaints
            finally:
                await browser.close()

    async def person(self, **settings: Any) -> BrowserContext:
        """Return a browser of somebody of his own: no cookie is shared."""
        size = {"width": DESK[0], "height": DESK[1]}
        context = await self._browser.new_context(**({"viewport": size} | settings))
        context.set_default_timeout(20_000)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context

    def _heard(self, message: ConsoleMessage) -> None:
        # a controller that is away, or a refusal
        lost = "Failed to load resource" in message.text or "Failed to fetch" in message.text
        if message.type == "error" and not lost:
            self.complaints.append(message.text)

    async def picture(self, page: Page, name: str) -> None:
        """Keep how a page looks: light, dark, and on a phone, where nothing sticks out."""
        await page.emulate_media(color_scheme="light", reduced_motion="reduce")
        await page.screenshot(path=self._folder / f"{name}-light.png")
        await page.emulate_media(color_scheme="dark")
        await page.screenshot(path=self._folder / f"{name}-dark.png")
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        width = await page.evaluate("document.documentElement.scrollWidth")
        await page.screenshot(path=self._folder / f"{name}-phone.png", full_page=True)
        await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
        assert width <= PHONE[0], f"{name} is {width} px wide on a phone"


async def violations(page: Page) -> list[str]:
    """Return what axe finds against the page, in the colors that it has now."""
    await page.evaluate(_AXE.read_text())
    found = await page.evaluate("rules => axe.run({runOnly: rules})", _RULES)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
