"""The contract of registries, which bluegreen publishes for drivers like this one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bluegreen_folder import Options, open_registry

from bluegreen.ports.registry import Registry
from bluegreen.testing.registry_contract import RegistryContract, Stage


class FolderStage:
    """What can befall a folder inside a shared file system: it is unmounted, comes back, comes back empty."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "registry"
        self.away = home / "away"
        self.folder.mkdir()

    def client(self) -> AbstractAsyncContextManager[Registry]:
        return open_registry(Options(path=self.folder, pause=0.02, expiry=3.0))

    async def freeze(self) -> None:
        self.folder.rename(self.away)

    async def thaw(self) -> None:
        self.away.rename(self.folder)

    async def kill(self) -> None:
        await self.freeze()

    async def revive(self, *, empty: bool = False) -> None:
        if empty:
            shutil.rmtree(self.away)
            self.away.mkdir()
        await self.thaw()

    async def spoil(self, stack: str, instance: str) -> None:
        (self.folder / stack / "instances" / f"{instance}.json").write_text("{not an announcement")


@asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    with TemporaryDirectory() as home:
        yield FolderStage(Path(home))


class TestFolderRegistry(RegistryContract):
    def stage(self) -> AbstractAsyncContextManager[Stage]:
        return _stage()
