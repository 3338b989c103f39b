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
# Pages that are not in front go on as usual: a story looks at several, and a call to a sleeping one may last.
_QUIET += ["--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"]
_QUIET += ["--disable-background-timer-throttling"]

DESK, PHONE, SHOWN = (1200, 800), (375, 812), (390, 844)


class Desk:
    """A browser and the folder for its pictures, ``BLUEGREEN_SCREENSHOTS``: without it none are taken."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        wanted = os.environ.get("BLUEGREEN_SCREENSHOTS")
        self._folder = Path(wanted) if wanted else None
        self.complaints: list[str] = []

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Desk]:
        program = shutil.which("chromium")
        assert program, "chromium is missing: run scripts/install-test-prerequisites"
        async with async_playwright() as play:
            browser = await play.chromium.launch(executable_path=program, args=_QUIET)
            try:
                desk = cls(browser)
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
        """See that nothing sticks out on a phone; where pictures are wanted keep light, dark, and that."""
        await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        width = await page.evaluate("document.documentElement.scrollWidth")
        if self._folder is not None:
            await self._keep(page, self._folder / name)
        await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
        assert width <= PHONE[0], f"{name} is {width} px wide on a phone"

    @staticmethod
    async def _keep(page: Page, path: Path) -> None:
        for size, ending in ((SHOWN, "-phone"), (DESK, "")):
            await page.set_viewport_size({"width": size[0], "height": size[1]})
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                await page.screenshot(path=f"{path}{ending}-{scheme}.png")
        await page.emulate_media(color_scheme="light")


async def violations(page: Page) -> list[str]:
    """Return what axe finds against the page, in the colors that it has now."""
    await page.evaluate(_AXE.read_text())
    found = await page.evaluate("rules => axe.run({runOnly: rules})", _RULES)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
