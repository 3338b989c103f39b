"""The soak for people: a plain text for the terminal, Markdown for the documentation. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.soak.faults import KINDS, REPLICAS, FaultKind, kinds
from bench.soak.figures import Line, lines, median_and_worst, total
from bench.soak.run import AGENT, CHECK, GRACE, PATIENCE, RATE, Soaked

_HEAD = ("fault", "times", "failed idempotent", "failed POSTs", "out of the pool", "healed")


def table(soaked: Soaked) -> tuple[Line, ...]:
    """Return the lines of one runtime, the total last."""
    happened = {one.kind for one in soaked.happenings}
    order = [kind.name for kind in kinds(soaked.runtime) if kind.name in happened]
    found = lines(order, soaked.happenings, soaked.losses)
    return (*found, total(found))


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.kind,
        str(line.times),
        _counts(line.idempotent),
        str(line.posts),
        median_and_worst(line.out),
        median_and_worst(line.heal),
    )


def _counts(counts: Mapping[str, int]) -> str:
    """Return the sum, and what it is made of."""
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())} ({parts})" if parts else "0"


def complaints(soaked: Soaked) -> list[str]:
    """Return what should not have been, in words: what went wrong, and losses that no fault explains."""
    known = {kind.name: kind for kind in KINDS}
    found = list(soaked.complaints)
    for line in table(soaked)[:-1]:
        kind = known.get(line.kind)
        if kind is None or not kind.cost:
            lost, what = line.lost, "requests"
        else:
            lost, what = (0 if kind.dear else sum(line.idempotent.values())), "idempotent requests"
        if lost:
            found.append(f"{soaked.runtime}: {lost} {what} lost to {line.kind}, which nothing explains")
    return found


def text(found: Sequence[Soaked], seed: int, facts: Mapping[str, str]) -> str:
    """Return a table for each runtime, and what failed how."""
    parts = []
    for one in found:
        rows = [_HEAD, *(_cells(line) for line in table(one))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        parts.append(f"{one.runtime}, seed {seed}: {_requests(one)}")
        parts += ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        parts += [f"  {words}" for words in _losses(one)]
        parts += [f"  WRONG: {words}" for words in complaints(one)]
        parts.append("")
    parts.append(", ".join(f"{name} {value}" for name, value in facts.items()))
    return "\n".join(parts)


def _losses(one: Soaked) -> list[str]:
    known = {kind.name: kind for kind in KINDS}
    found = []
    for line in table(one)[:-1]:
        if line.lost:
            cost = known[line.kind].cost if line.kind in known else ""
            counts = ", ".join(f"{count} × {what}" for what, count in sorted(line.outcomes.items()))
            found.append(f"{line.kind}: {counts}: {cost or 'nothing explains it'}.")
    return found


def _requests(one: Soaked) -> str:
    if one.result is None:
        return "no load"
    users = ", ".join(f"{t.requests:,} {kind}" for kind, t in sorted(one.result.classes.items()))
    longest = max(t.latency.max_ms for t in one.result.classes.values()) / 1e3
    return (
        f"{one.result.requests:,} requests ({users}) in {one.result.duration_s:.0f} s, "
        f"{one.result.failed} failed; half of the fast ones were answered within "
        f"{one.result.latency.p50_ms:.1f} ms, the longest wait for a right answer was {longest:.1f} s; "
        f"load average of the machine {one.load_average:.0f}"
    )


def markdown(found: Sequence[Soaked], seed: int, facts: Mapping[str, str], date: str, note: str) -> str:
    """Return the page of the documentation. ``note`` is a sentence on what else the machine did."""
    note = f" {note}" if note else ""
    command = f"soak --seconds {sum(one.seconds for one in found):g} --seed {seed}"
    return "\n".join(
        [
            _INTRODUCTION.format(date=date, command=command, replicas=REPLICAS, note=note),
            *(_section(one) for one in found),
            _READING,
            "## The faults, and what each may cost\n",
            _rows(("fault", "what is done", "what may fail, and why"), [_described(kind) for kind in KINDS]),
            "\n## The machine\n",
            _rows(("", ""), list(facts.items())),
        ]
    )


def _section(one: Soaked) -> str:
    parts = [
        f"## {_TITLES[one.runtime]}\n",
        f"{_requests(one)}.\n",
        _rows(_HEAD, [_cells(line) for line in table(one)]),
        "",
    ]
    if lost := _losses(one):
        parts += ["What failed, and why:\n", *(f"- {words}" for words in lost), ""]
    if wrong := complaints(one):
        parts += ["What should not have been:\n", *(f"- {words}" for words in wrong), ""]
    return "\n".join(parts)


def _described(kind: FaultKind) -> tuple[str, str, str]:
    return kind.name, kind.what, kind.cost or "nothing"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in table)


_TITLES = {"process": "On processes", "docker": "On Docker"}

_INTRODUCTION = """# The soak

Load on {replicas} instances of the sample application behind a real controller and HAProxy, while one fault
after the other befalls them, each only once all is well again. Written by `python -m bench soak --write` on
{date}.{note} To repeat it:

```console
$ make bench BENCH_ARGS='{command}'
```

`--seconds 60` is enough for a first look; `--runtime docker` and `--only freeze hang` choose. The seed gives
the order of the faults and their victims; how long each takes, and so how many there are, depends on the
machine.
"""

_READING = f"""## How to read it

- *Failed* is what the load client counts: no complete and right answer within {PATIENCE:g} s, or a status
  other than 2xx. Its users send {RATE:g} requests a second in all while they do not wait for answers: 16 on
  kept connections (`keepalive`), 8 on a new one for each request (`oneshot`), 6 that POST (`post`); and 4
  more have a request of 0.5 s in flight all the time (`slow`).
- *Idempotent* are the GETs of `keepalive`, `oneshot` and `slow`. HAProxy sends one again, to another
  instance, when its own has gone without an answer. A POST is never sent twice: only who asked can know
  whether it may.
- A failed request counts for the fault that was going on while it was in flight.
- *Out of the pool*: from the fault until HAProxy gave the instance no new requests, by HAProxy's own table,
  read every 20 ms. Median / worst. The balancer's check, and the agent's, look every {CHECK.interval:g} s,
  wait {CHECK.timeout:g} s, and want {CHECK.fall} failures in a row; a death is noticed without them.
- *Healed*: from the fault until all {REPLICAS} instances were in rotation again and nothing else was left
  over, as bluegreen and HAProxy see it. Median / worst. Where the injector itself ends the fault ("for 4 s"),
  from then on.
- A request on an instance that hangs waits: until the agent knows, for {AGENT.drain:g} s more in which it
  might end, and {GRACE:g} s after TERM. Then the instance is killed, and a GET is sent elsewhere. That is
  where most of the longest waits come from. Without an agent, the balancer's `server_timeout` (50 s) would
  end the wait with a 504.
- On Docker the address of a container that died is gone. Until the balancer knows (`orphan`: nobody is there
  to tell it), a new connection to it waits, at most `connect_timeout` (5 s), before the request is sent
  elsewhere.
- An instance that dies again and again comes back later and later (the runtime's back-off, 30 s at most):
  with `--only kill` it takes longer to heal than here.
"""
