"""The images that tests run, made on this machine: nothing is pulled.

A small Debian with Python and BusyBox is built once per machine by ``mmdebstrap`` and kept in the
cache folder (``BLUEGREEN_CACHE``, default ``.cache`` of the repository); the sample application
and its variants are layers on top of it.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "src" / "bluegreen" / "sample"
BASE = "bluegreen-test-base:1"
APP = "tactivos/devops-challenge"
PACKAGES = "python3-minimal,libpython3-stdlib,busybox-static,base-passwd"
PREPARE = """set -e
chroot "$1" /bin/busybox --install -s /bin
cd "$1"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info var/lib/dpkg
rm -rf usr/lib/python3.11/pydoc_data usr/lib/*/gconv etc/resolv.conf etc/hostname
echo "root:x:0:0:root:/root:/bin/sh" > etc/passwd
echo "nobody:x:65534:65534:nobody:/nonexistent:/bin/sh" >> etc/passwd
printf 'root:x:0:\\nnogroup:x:65534:\\n' > etc/group
"""
"""The tree is only unpacked, no maintainer script runs: accounts and links are made here."""

VARIANTS: Mapping[str, Mapping[str, str]] = {
    "0.0.1": {},
    "0.0.2": {},
    "0.0.3-broken": {"FAIL_PING": "500"},
    "0.0.3-crash": {"EXIT_AT_START": "3"},
    "0.0.3-deaf": {"NEVER_LISTEN": "1"},
    "0.0.3-hang": {"HANG_PING": "1"},
    "0.0.3-late": {"START_DELAY": "2"},
    "0.0.3-abrupt": {"DIE_ON_TERM": "1"},
    "0.0.3-stubborn": {"IGNORE_TERM": "1"},
}
"""Tag → environment of the sample application: 0.0.1 and 0.0.2 are well, the others are not."""


class Engine(Protocol):
    def docker(self, *arguments: str, stdin: bytes | None = None) -> str: ...


def load(engine: Engine, tags: Iterable[str] = VARIANTS) -> None:
    """Put the base, the sample application in its variants, and ``mongo:latest`` into ``engine``."""
    engine.docker("import", str(base_tarball()), BASE)
    layer = (
        "COPY *.py /srv/bluegreen/sample/\nENV HOST=0.0.0.0 PYTHONPATH=/srv\n"
        "RUN ln -s bluegreen/sample/app.py bluegreen/sample/db.py /srv/\n"  # short names for commands
    )
    build(engine, "bluegreen-test-sample:1", f"FROM {BASE}\n{layer}", *sorted(SAMPLE.glob("*.py")))
    service = 'EXPOSE 3000\nCMD ["python3", "/srv/app.py"]\n'
    build(engine, "bluegreen-test-app:1", f"FROM bluegreen-test-sample:1\n{service}")
    for tag in tags:
        variant(engine, tag)
    database = 'EXPOSE 27017\nCMD ["python3", "/srv/db.py"]\n'
    build(engine, "mongo:latest", f"FROM bluegreen-test-sample:1\n{database}")


def variant(engine: Engine, tag: str, environment: Mapping[str, str] | None = None) -> str:
    """Build one variant of the sample application (``VARIANTS`` or your own); return its name."""
    own = VARIANTS.get(tag, {}) if environment is None else environment
    settings = {"VERSION": tag.partition("-")[0], **own}
    line = " ".join(f"{key}={value}" for key, value in settings.items())
    build(engine, f"{APP}:{tag}", f"FROM bluegreen-test-app:1\nENV {line}\n")
    return f"{APP}:{tag}"


def build(engine: Engine, name: str, dockerfile: str, *files: Path) -> None:
    """Build ``name`` from the text of a Dockerfile and the files it copies."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile.encode())
        archive.addfile(entry, io.BytesIO(dockerfile.encode()))
        for path in files:
            archive.add(path, arcname=path.name)
    engine.docker("build", "--quiet", "--tag", name, "-", stdin=context.getvalue())


def base_tarball() -> Path:
    """Return the root file system of the base image, building it when the cache lacks it."""
    return root_file_system("docker-base-1", "bookworm", PACKAGES, PREPARE)


def root_file_system(name: str, release: str, packages: str, prepare: str) -> Path:
    """Return a tarball of ``packages`` of a Debian release, building it when the cache lacks it.

    ``prepare`` is a shell script that finishes the unpacked tree, whose path is its first argument.
    """
    cache = Path(os.environ.get("BLUEGREEN_CACHE") or REPOSITORY / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    tarball = cache / f"{name}.tar"
    with _locked(cache / f"{name}.lock"):
        if not tarball.exists():
            _bootstrap(tarball, release, packages, prepare)
    return tarball


def _bootstrap(tarball: Path, release: str, packages: str, prepare: str) -> None:
    if shutil.which("mmdebstrap") is None:
        raise FileNotFoundError("mmdebstrap is missing: apt-get install -y mmdebstrap")
    unfinished = tarball.with_suffix(".part.tar")
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=extract", f"--include={packages}"),
            *(f"--extract-hook={_line(prepare)}", release, str(unfinished)),
        ],
        check=True,
        timeout=600,
    )
    unfinished.rename(tarball)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _line(script: str) -> str:
    """mmdebstrap takes a hook with a newline in it for the name of a file, and complains."""
    return "; ".join(line for line in script.splitlines() if line)
