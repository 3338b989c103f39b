"""``ssh://``: a connection to a controller on another machine, by the system's own ``ssh``.

Imported when such an address is given. ``ssh`` runs ``bluegreen dial-stdio`` there, which joins its stdin and
stdout to the controller's socket (docs/adr, "dial-stdio"). Who logs in, by which key, over which hosts is
left to ssh's configuration. That program says hello before anything else: what comes instead of it is an
error, and nothing was asked of the controller yet.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import IO

from bluegreen.domain.errors import BluegreenError, Permanent, Temporary, UserError
from bluegreen.wire import problems

HELLO = b"bluegreen-dial 1\n"
"""What ``bluegreen dial-stdio`` writes once it is connected to the controller."""

PROMPTS = 120.0
"""Seconds for which a person may think about what ssh asks: a passphrase, an unknown host."""

_END = 2.0
_NOISE = 65_536
_FORM = "Give ssh://[USER@]HOST[:PORT][/PATH/OF/SOCKET]."
_URL = re.compile(
    r"ssh://(?:(?P<user>[^@/]*)@)?(?P<host>\[[^\]/]*\]|[^:/@\[\]]*)(?::(?P<port>[0-9]{1,5}))?(?P<socket>/.*)?",
    re.DOTALL,
)
# Neither begins with a dash, so that none can be an option of ssh; neither holds what a shell would read.
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\\@-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]")
_SOCKET = re.compile(r"/[^\x00-\x1f\x7f?#]*")
_OPTIONS = ("ClearAllForwardings=yes", "PermitLocalCommand=no", "RemoteCommand=none", "RequestTTY=no")


@dataclass(frozen=True, slots=True)
class Target:
    """Where ssh goes. What is empty is left to ssh's configuration; ``socket`` to bluegreen's, there."""

    host: str
    user: str = ""
    port: str = ""
    socket: str = ""


def parse(text: str) -> Target:
    """Return where an ``ssh://`` address leads. Raises ``UserError`` (``bad_host``)."""
    found = _URL.fullmatch(text)
    if found is None:
        raise _bad(text, "it has not the form of one")
    user, host, port, path = (found[part] or "" for part in ("user", "host", "port", "socket"))
    if ":" in user:
        raise _bad(text.replace(user, user.partition(":")[0] + ":…"), "a password does not belong there")
    if found["user"] is not None and not _USER.fullmatch(user):
        raise _bad(text, f"{user!r} is no name of a user")
    if not _HOST.fullmatch(host):
        raise _bad(text, f"{host!r} is no name of a host")
    if port and not 0 < int(port) < 65536:
        raise _bad(text, f"{port} is no port")
    path = path.rstrip("/")
    if path and not _SOCKET.fullmatch(path):
        raise _bad(text, "its path cannot be that of a socket")
    return Target(host=host.strip("[]"), user=user, port=port, socket=path)


def _bad(text: str, why: str) -> UserError:
    return UserError(
        f"{text!r} is no address of a controller: {why}",
        code="bad_host",
        hint=f"{_FORM} Keys, jump hosts and the like belong into ssh's configuration.",
    )


def command(target: Target, *, prompts: bool) -> list[str]:
    """Return the command line of ``ssh``. Without ``prompts`` it fails where it would have to ask."""
    options = (*_OPTIONS, *(() if prompts else ("BatchMode=yes",)))
    words = ["ssh", "-T", *(word for option in options for word in ("-o", option))]
    words += ["-l", target.user] if target.user else []
    words += ["-p", target.port] if target.port else []
    there = ["bluegreen", "dial-stdio", "--json"]
    there += ["--socket", target.socket] if target.socket else []
    return [*words, "--", target.host, shlex.join(there)]


class SshConnection(HTTPConnection):
    """An HTTP connection through an ``ssh`` process, which has to be ended by :meth:`end`."""

    def __init__(self, target: Target, text: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._target, self._text, self._wait = target, text, timeout
        self._process: subprocess.Popen[bytes] | None = None

    def connect(self) -> None:
        """Raises ``Temporary`` (``ssh_unreachable``), ``Permanent`` (``ssh_refused``, ``ssh_no_bluegreen``,
        ``no_ssh``), and what ``dial-stdio`` says of the controller there."""
        prompts = sys.stdin is not None and sys.stdin.isatty()
        with tempfile.TemporaryFile() as complaints:
            self.sock = self._start(command(self._target, prompts=prompts), complaints)
            try:
                said = self._greeting(PROMPTS if prompts else self._wait)
                if said is not None:
                    raise self._refusal(said, complaints)
                self.sock.settimeout(self._wait)
            except BaseException:
                self.close()
                self.end(patience=0)
                raise

    def _start(self, words: Sequence[str], complaints: IO[bytes]) -> socket.socket:
        ours, its = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                words, stdin=its.fileno(), stdout=its.fileno(), stderr=complaints
            )
        except OSError as error:
            ours.close()
            raise Permanent(
                f"cannot run ssh: {error.strerror}",
                code="no_ssh",
                hint="Install OpenSSH's client, or use https:// (docs/howto/remote.md).",
            ) from error
        finally:
            its.close()
        return ours

    def _greeting(self, patience: float) -> bytes | None:
        """Wait for the hello; ``None`` once it came, else what was said until the end.

        A shell that greets people may have written before: what stands above the hello is not read.
        """
        said, deadline = b"", time.monotonic() + patience
        while not said.endswith(HELLO):
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                more = self.sock.recv(4096)
            except TimeoutError:
                raise _unreachable(self._text, f"no answer within {patience:.0f} s") from None
            except ConnectionError:
                more = b""
            if not more or len(said) > _NOISE:
                return said
            said += more
        return None

    def _refusal(self, said: bytes, complaints: IO[bytes]) -> BluegreenError:
        """Return why there was no hello, from what ssh and the program there said."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
        complaints.seek(0)
        evidence = "\n".join(complaints.read(_NOISE).decode(errors="replace").split("\n")[-12:]).strip()
        told = _document(said)
        if told is not None and told.code != "usage":
            told.message = f"{self._text}: {told.message}"
            return told
        if self._process.returncode == 255:
            return explain(self._text, evidence)
        return Permanent(
            f"{self._text}: there is no `bluegreen` that knows `dial-stdio`",
            code="ssh_no_bluegreen",
            evidence=(("ssh", evidence or (told.message if told else "") or f"exit code {self._code}"),),
            hint="Have it on the PATH of commands there, at this version: "
            "`ln -s /opt/bluegreen/bin/bluegreen /usr/local/bin/`; try it: `ssh HOST bluegreen --version`.",
        )

    @property
    def _code(self) -> int | None:
        return None if self._process is None else self._process.returncode

    def end(self, patience: float = _END) -> None:
        """End ``ssh`` after the connection was closed, which is what it ends by itself for.

        It may be what other sessions go through (``ControlMaster``), so it is asked first.
        """
        if self._process is None:
            return
        for ask in (None, self._process.terminate, self._process.kill):
            if ask is not None:
                ask()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END if ask is not None else patience)
                return


def explain(text: str, said: str) -> BluegreenError:
    """Return the error for what ssh itself said when it could not get through."""
    if re.search(r"could not resolve", said, re.IGNORECASE):
        return UserError(
            f"ssh does not know the host of {text}",
            code="bad_host",
            evidence=(("ssh", said),),
            hint="Check --host and BLUEGREEN_HOST; names may stand in ~/.ssh/config.",
        )
    if re.search(r"permission denied|too many authentication failures", said, re.IGNORECASE):
        return Permanent(
            f"ssh was not let in at {text}",
            code="ssh_refused",
            evidence=(("ssh", said),),
            hint="Give your public key to that user there, and load it: `ssh-add`; try it: `ssh HOST`.",
        )
    if re.search(r"host key verification failed|no matching host key", said, re.IGNORECASE):
        return Permanent(
            f"ssh does not trust the host of {text}",
            code="ssh_refused",
            evidence=(("ssh", said),),
            hint="Compare the host's key and accept it once by hand: `ssh HOST`.",
        )
    return _unreachable(text, said or "it ended without a word")


def _unreachable(text: str, said: str) -> Temporary:
    return Temporary(
        f"ssh does not get through to {text}",
        code="ssh_unreachable",
        evidence=(("ssh", said),),
        hint="Traffic is not affected. Does `ssh HOST` get through? Host, port and jump hosts are ssh's.",
    )


def _document(said: bytes) -> BluegreenError | None:
    """Return the error that ``bluegreen --json`` printed; ``None`` when it is none."""
    begin = said.find(b'{\n  "error"')
    try:
        found = json.loads(said[begin:].decode()) if begin >= 0 else None
        return None if found is None else problems.printed(found["error"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
