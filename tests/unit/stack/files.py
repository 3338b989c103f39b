# ruff: noqa: E501 -- rows of a table stay on one line
"""Stack files written by tests, and what loading them gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.domain.spec import ServiceSpec
from bluegreen.domain.stack import BalancerSpec, StackSpec
from bluegreen.stack import Loaded, load


@dataclass(frozen=True)
class Outcome:
    """One load. The properties fail with all problems when there is no spec."""

    loaded: Loaded

    @property
    def spec(self) -> StackSpec:
        assert self.loaded.spec is not None, self.text
        return self.loaded.spec

    @property
    def text(self) -> str:
        return "\n".join(str(problem) for problem in self.loaded.problems)

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.loaded.problems]

    @property
    def errors(self) -> list[str]:
        return [problem.code for problem in self.loaded.errors]

    def service(self, name: str = "web") -> ServiceSpec:
        found = self.spec.service(name)
        assert found is not None, [service.name for service in self.spec.services]
        return found

    def balancer(self, name: str = "lbx") -> BalancerSpec:
        found = self.spec.balancer(name)
        assert found is not None, [balancer.name for balancer in self.spec.balancers]
        return found


class Folder:
    """A folder of stack files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def load(
        self,
        *texts: str,
        env: Mapping[str, str] | None = None,
        publish: Mapping[int, int] | None = None,
        name: str | None = "shop",
    ) -> Outcome:
        """Write each text to a file of its own (``stack.yml``, ``stack1.yml`` …) and load them all."""
        files = [self.write(f"stack{index or ''}.yml", text) for index, text in enumerate(texts)]
        return Outcome(load(files, name=name, environment=env or {}, publish=publish or {}))

    def one(self, keys: str, *, env: Mapping[str, str] | None = None) -> Outcome:
        """Load a Docker Cloud file with one service ``web`` that has these keys (one per line)."""
        return self.load("web:\n  image: app:1\n" + indent(keys, 2), env=env)

    def compose(self, keys: str, *, top: str = "", env: Mapping[str, str] | None = None) -> Outcome:
        """Load a Compose file with one service ``web`` that has these keys (one per line)."""
        return self.load("services:\n  web:\n    image: app:1\n" + indent(keys, 4) + top, env=env)

    def balanced(self, variables: Mapping[str, str], *, service: Mapping[str, str] | None = None) -> Outcome:
        """Load a balancer ``lbx`` with these variables, linked to ``web-green`` (and ``web-blue`` beside it)."""
        text = (
            "lbx:\n  image: dockercloud/haproxy\n  links: [web-green]\n  ports: ['80:80', '443:443']\n"
            + _variables(variables)
            + "web-green:\n  image: app:1\n"
            + _variables(service or {})
            + "web-blue:\n  image: app:2\n"
        )
        return self.load(text)


def _variables(values: Mapping[str, str]) -> str:
    # Double quotes would need escapes; in single quotes only the quote itself does.
    lines = "".join(
        f"    {name}: '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in values.items()
    )
    return "  environment:\n" + lines if values else ""


def indent(text: str, by: int) -> str:
    return "".join(" " * by + line + "\n" for line in text.splitlines())
