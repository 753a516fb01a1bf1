"""Redis and two machines in virtual time, for the rules of the lease: it can forget, go back, and be out of reach."""

from __future__ import annotations

from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.lease.claim import Claim, Hold, Look, Plant, Record, Renew, Step, Take

TTL_NS = 10 * SECOND


class Memory:
    """The record, as the script in Redis treats it."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.broken = ""

    def perform(self, step: Step, token: str) -> tuple[bool, Record | None]:
        held = self.record
        match step:
            case Plant(planted, epoch) if held is None:
                self.record = _record(planted, epoch)
                return True, self.record
            case Take(over, epoch) if (over and over.identity) == (held and held.identity):
                self.record = _record(token, epoch)
                return True, self.record
            case Renew(epoch) if held is not None and (held.token, held.epoch) == (token, epoch):
                self.record = replace(held, beat=held.beat + 1)
                return True, self.record
            case Look() | Take() | Renew() | Plant():
                return False, held

    def release(self, token: str) -> None:
        if self.record is not None and self.record.token == token:
            self.record = replace(self.record, released=True)


def _record(token: str, epoch: int) -> Record:
    return Record(token=token, epoch=epoch, beat=1, name=token, host="", pid=1, since_ns=0, ttl_ns=TTL_NS)


class Machine:
    """A claim, and when it acts next. ``paused_until_ns``: SIGSTOP."""

    def __init__(self, token: str, memory: Memory, now_ns: int = 0, mark: int = 0) -> None:
        self.claim = Claim(token, ttl_ns=TTL_NS, mark=mark)
        self.memory = memory
        self.due_ns = now_ns
        self.paused_until_ns = 0
        self.epochs: list[int] = []

    def may_place(self, now_ns: int) -> bool:
        return now_ns < self.claim.until_ns and now_ns >= self.paused_until_ns

    def act(self, now_ns: int, answered_ns: int | None = None) -> None:
        """One exchange; its answer may come late, or never."""
        if now_ns < max(self.due_ns, self.paused_until_ns) or self.claim.state is Hold.LOST:
            return
        step = self.claim.step(now_ns)
        if self.memory.broken:
            self.claim.failed(self.memory.broken, now_ns)
        else:
            done, record = self.memory.perform(step, self.claim.token)
            self.claim.answered(step, done, record, asked_ns=now_ns, now_ns=answered_ns or now_ns)
            if done and isinstance(step, Take):
                self.epochs.append(step.epoch)
        self.due_ns = self.claim.next_ns(answered_ns or now_ns)
