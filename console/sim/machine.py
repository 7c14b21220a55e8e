"""What happens to servers: runs the declared lives and does what their steps name.

It is the only place that changes a server's states over time.  It refuses nothing: whether something is allowed is
asked before (`nova_actions`).  A newer life ends an older one: a server lives one at a time.
"""

from __future__ import annotations

from console.sim import effects
from console.sim.job import Failed, Job, Turn
from console.sim.lives import LIVES, SAME, Life, Step
from console.sim.records import Event, Server
from console.sim.region import Region


class Machine:
    """Runs the lives of one region's servers."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.clock = region.clock

    def run(self, server: Server, job: Job) -> None:
        """Begin a life; its first states are there when this returns."""
        server.motion += 1
        life = LIVES[job.life]
        server.began = self.clock.time()
        server.ends = server.began + sum(self.seconds(server, s.wait) for s in life.steps) / (self.clock.speed or 1.0)
        if job.action is not None and life.event:
            for name in (*life.around, life.event):
                job.action.events.append(Event(name, self.clock.time(), host=server.host))
        self._take(server, job, life, 0, server.motion)

    def aside(self, server: Server, job: Job) -> None:
        """Do something beside the server's life, such as connecting a volume: no task state, nothing it ends."""
        life = LIVES[job.life]
        if job.action is not None:
            job.action.events.append(Event(life.event, self.clock.time(), host=server.host))
        self._beside(server, job, life.steps)

    def _beside(self, server: Server, job: Job, steps: tuple[Step, ...]) -> None:
        if not steps:
            self.finish(server, job)
            return

        def next_step() -> None:
            if not server.deleted:
                effects.EFFECTS[steps[0].then](self.region, server, job)
            self._beside(server, job, steps[1:])

        wait = self.seconds(server, steps[0].wait)
        if wait:
            self.clock.after(wait, next_step)
        else:
            next_step()

    def resume(self, server: Server, job: Job, index: int) -> None:
        """Go on with a life that began before the cloud did, at this step."""
        server.motion += 1
        self._take(server, job, LIVES[job.life], index, server.motion)

    def _turn(self, server: Server, job: Job, turn: Turn) -> None:
        server.motion += 1
        if turn.life:
            self._take(server, job, LIVES[turn.life], 0, server.motion)
            return
        if turn.result:
            server.touch(self.clock.time())
            self.finish(server, job, turn.result, turn.message)

    def seconds(self, server: Server, wait: float | str) -> float:
        """How long a wait is for this server, which its metadata may stretch (`lab_build_seconds` and its kin)."""
        if not isinstance(wait, str):
            return wait
        plain = {"build": 1.2, "copy": 0.4, "snapshot": 1.0}[wait]
        try:
            return plain + float(server.metadata.get(f"lab_{wait}_seconds", "0"))
        except ValueError:
            return plain

    def _take(self, server: Server, job: Job, life: Life, index: int, motion: int) -> None:
        if server.motion != motion or server.deleted:
            return
        step = life.steps[index]
        self._become(server, step)
        try:
            turn = effects.EFFECTS[step.then](self.region, server, job) if step.then else None
        except Failed as failed:
            self.fail(server, job, str(failed), noted=failed.noted)
            return
        if turn is not None:
            self._turn(server, job, turn)
            return
        if index + 1 == len(life.steps):
            self.finish(server, job)
            return
        wait = self.seconds(server, life.steps[index + 1].wait)
        self.clock.after(wait, lambda: self._take(server, job, life, index + 1, motion))

    def _become(self, server: Server, step: Step) -> None:
        if step.task is not SAME:
            server.task_state = step.task
        if step.vm is not SAME:
            server.vm_state = step.vm
        if step.power is not SAME:
            server.power_state = step.power
        server.touch(self.clock.time())

    def finish(self, server: Server, job: Job, result: str = "Success", message: str | None = None) -> None:
        """Close the instance action."""
        now = self.clock.time()
        if job.action is not None:
            job.action.updated = now
            job.action.message = message
            for event in job.action.events:
                if event.finish is None:
                    event.finish, event.result = now, result
                    event.host = event.host or server.host

    def fail(self, server: Server, job: Job, message: str, noted: bool = True) -> None:
        """The job went wrong: the server is in error, with a fault."""
        server.vm_state, server.task_state = "error", None
        server.fault = {"code": 500, "created": self.clock.time(), "message": message}
        server.motion += 1
        server.touch(self.clock.time())
        if noted:
            self.finish(server, job, "Error", "Error")
        else:
            self.finish(server, job)
