"""The local agent: finds out what hangs, has it ruled on, and records the ruling. The keeper acts on it.

While all is well it asks nobody (unless the service wants to be asked all the time): the balancer, the
runtime or our own probe must first give rise to doubt. Then it asks for signs of life by itself, so that
one that answers "not ready" is left alone and one that does not answer at all is restarted.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.agent import Agent, AgentMode
from bluegreen.domain.check import HealthCheck, signs_of_life
from bluegreen.domain.errors import Temporary
from bluegreen.domain.facts import InstanceFacts, PoolView
from bluegreen.domain.health import Health, Verdict
from bluegreen.domain.instance import Instance
from bluegreen.domain.liveness import Hold, Life, Recycle, Wait, judge, within
from bluegreen.domain.naming import pool_id
from bluegreen.domain.override import Force, Override
from bluegreen.domain.release import ServiceRecord
from bluegreen.domain.rollout import Rollout
from bluegreen.domain.routing import Admin, ServerHealth
from bluegreen.domain.slots import tended
from bluegreen.domain.spec import ServiceSpec
from bluegreen.engine.examiner import Examiner, Purpose
from bluegreen.engine.ledger import Ledger, ServiceKey
from bluegreen.engine.narrate import instance_told
from bluegreen.engine.observe import Observer
from bluegreen.engine.sentinel import Sentinel
from bluegreen.engine.switchboard import Switchboard
from bluegreen.ports.clock import Clock
from bluegreen.ports.runtime import Console

LOOK_AGAIN = 1.0
"""Seconds until the next ruling on something that was held."""


class Guardian:
    def __init__(
        self,
        ledger: Ledger,
        examiner: Examiner,
        observer: Observer,
        switchboard: Switchboard,
        sentinel: Sentinel,
        console: Console,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._examiner = examiner
        self._observer = observer
        self._switchboard = switchboard
        self._sentinel = sentinel
        self._console = console
        self._clock = clock
        self._held: dict[ServiceKey, str] = {}
        self._freed: dict[ServiceKey, float] = {}
        self._killed: dict[str, float] = {}

    def alive(self, instance: Instance) -> Health:
        """Return the agent's verdict on this incarnation."""
        return self._examiner.health(instance, Purpose.ALIVE)

    def held(self, key: ServiceKey) -> str:
        """Return why what hangs of a service is not restarted; empty when nothing is held."""
        return self._held.get(key, "")

    async def guard(self, record: ServiceRecord, rollout: Rollout | None) -> float | None:
        """Look after the colors that are tended; return the seconds until the next look."""
        stack = self._ledger.stacks.get(record.stack)
        spec = stack.spec.service(record.name) if stack is not None else None
        if spec is None or spec.agent.mode is AgentMode.OFF or record.stopped:
            return None
        pauses = []
        for color in sorted(tended(record, rollout)):
            view = self._observer.view(record.stack, pool_id(record.stack, record.name, color))
            self._ask(record, view, spec)
            running = (one for one in view.instances if one.instance.running)
            hung = [one for one in running if self.alive(one.instance).verdict is Verdict.SICK]
            if hung and spec.agent.mode is AgentMode.COMPAT:
                await self._kill(hung)
            elif hung:
                pauses.append(await self._rule(record, view, spec.agent))
            else:
                self._held.pop((record.stack, record.name), None)
        return min((p for p in pauses if p is not None), default=None)

    def _ask(self, record: ServiceRecord, view: PoolView, spec: ServiceSpec) -> None:
        """Ask for signs of life where there is doubt; all the time where the service wants that.

        One that has not answered yet since it started may be slow: it gets the time a release would get.
        One that does not run, such as one that a person paused, is not asked: its silence says nothing.
        """
        owner = (record.stack, record.name)
        for one in view.instances:
            check = spec.agent.check or self._doubt(view, one)
            served = self._sentinel.against(view.id, one.instance.name) is not None
            if check is not None and spec.agent.mode is AgentMode.SAFE and not served:
                patience = max(check.start_period, spec.rollout.start_deadline)
                check = replace(check, start_period=patience)
            if check is None or not one.instance.running or one.instance.name in record.overrides:
                self._examiner.calm(one.instance.name)
            else:
                self._examiner.watch(owner, one.instance, check, check.interval, Purpose.ALIVE)

    def _doubt(self, view: PoolView, one: InstanceFacts) -> HealthCheck | None:
        """Return what to ask of an instance that somebody calls sick, ``None`` when nobody does."""
        called_sick = (
            self._sentinel.against(view.id, one.instance.name) is not None
            or one.health.verdict is Verdict.SICK
            or one.instance.health == "unhealthy"
        )
        return signs_of_life(view.check) if called_sick else None

    async def _rule(self, record: ServiceRecord, view: PoolView, agent: Agent) -> float | None:
        lives = await self._lives(record, view)
        if lives is None:
            return LOOK_AGAIN  # what the balancer does not say is not known
        now = self._clock.now()
        ruling = judge(lives, agent, record.recycled, now)
        if isinstance(ruling, Recycle):
            if not self._seen_since_freed(record, view, ruling.name, now):
                return LOOK_AGAIN
            await self._recycle(record, view, agent, ruling.name)
            return 0.0
        if isinstance(ruling, Hold):
            await self._hold(record, view, ruling)
            return min(ruling.seconds or LOOK_AGAIN, LOOK_AGAIN)
        return LOOK_AGAIN if isinstance(ruling, Wait) else None

    def _seen_since_freed(self, record: ServiceRecord, view: PoolView, name: str, now: float) -> bool:
        """Whether the instance was asked after what held us was over.

        Those that a shared cause kept from answering do not all recover at the same look: the first that
        serves again is no reason to restart the others for what was seen of them before.
        """
        key = (record.stack, record.name)
        if self._held.pop(key, ""):
            self._freed[key] = now
        last = next(self.alive(i.instance).last for i in view.instances if i.instance.name == name)
        return last is not None and last.at > self._freed.get(key, 0.0)

    async def _lives(self, record: ServiceRecord, view: PoolView) -> list[Life] | None:
        routed = view.id in self._switchboard.routing.pools
        if routed:
            try:
                facts = await self._switchboard.observe([view.id])
            except Temporary:
                return None
            view = self._observer.view(record.stack, view.id, facts)
        return [self._life(record, one, routed) for one in view.instances]

    def _life(self, record: ServiceRecord, one: InstanceFacts, routed: bool) -> Life:
        alive = self.alive(one.instance)
        hung = alive.verdict is Verdict.SICK
        override = record.overrides.get(one.instance.name)
        return Life(
            name=one.instance.name,
            running=one.instance.running,
            hung=hung,
            doubted=alive.failures > 0,
            serves=_serves(one) if routed else one.instance.running and not hung,
            claimed=override is not None,
            restarting=override is not None and override.force is Force.RESTART,
            since=alive.since,
        )

    async def _recycle(self, record: ServiceRecord, view: PoolView, agent: Agent, name: str) -> None:
        """Record that the instance is to be restarted: what follows survives the death of the controller."""
        now = self._clock.now()
        instance = next(i.instance for i in view.instances if i.instance.name == name)
        last = self.alive(instance).last
        why = f"it hangs: {last.describe()}" if last is not None else "it hangs"
        restart = Override(force=Force.RESTART, why=why, since=now, incarnation=instance.incarnation)

        def ruled(before: ServiceRecord) -> ServiceRecord:
            return replace(
                before,
                overrides={**before.overrides, name: restart},
                recycled=(*within(before.recycled, agent, now), now),
            )

        told = instance_told(instance, "instance.hung", f"{name} is to be restarted: {why}", now, "warning")
        await self._ledger.change_service((record.stack, record.name), ruled, (told,))

    async def _hold(self, record: ServiceRecord, view: PoolView, hold: Hold) -> None:
        key = (record.stack, record.name)
        if self._held.get(key) == hold.code:
            return
        self._held[key] = hold.code
        message = f"{record.name}: {hold.why}; nothing is restarted. {hold.hint}"
        told = instance_told(view.instances[0].instance, "service.alarm", message, self._clock.now(), "error")
        await self._ledger.commit((), (told,))

    async def _kill(self, hung: list[InstanceFacts]) -> None:
        """Do what the original agent did: end the main process, once for each failure."""
        for one in hung:
            name, last = one.instance.name, self.alive(one.instance).last
            if last is None or self._killed.get(name) == last.at:
                continue
            self._killed[name] = last.at
            message = f"{name} gets TERM: {last.describe()}"
            told = instance_told(one.instance, "instance.hung", message, self._clock.now(), "warning")
            await self._ledger.commit((), (told,))
            await self._console.signal(name, "TERM")


def _serves(one: InstanceFacts) -> bool:
    server = one.server
    return server is not None and server.admin is Admin.READY and server.health is not ServerHealth.DOWN
