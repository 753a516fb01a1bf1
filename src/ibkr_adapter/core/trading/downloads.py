"""The downloads that a session must finish before it is ready: which are asked, answered, or silent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Download(StrEnum):
    """What must have arrived, with its end marker, before orders may be sent. In the order in which it is asked."""

    OPEN_ORDERS = "open_orders"
    COMPLETED_ORDERS = "completed_orders"
    EXECUTIONS = "executions"
    POSITIONS = "positions"


class Answer(StrEnum):
    WAITING = "waiting"
    COMPLETE = "complete"
    UNCONFIRMED = "unconfirmed"


@dataclass(slots=True)
class _Asked:
    deadline_ns: int
    number: int
    tries: int = 1
    rows: int = 0
    answer: Answer = Answer.WAITING


class Downloads:
    """Which downloads of this session are asked, answered, or silent.

    A gateway with nothing to say has been seen to forget the end marker (executions on an empty day, server version
    200). So a download without rows that stays silent through one retry, while ``WITNESSES`` later requests were
    answered, is ``UNCONFIRMED``, not fatal. With rows but no end it stays ``WAITING``: half a list proves nothing. And
    without anything answered behind it, it is not the list that is silent but the gateway.
    """

    WITNESSES = 2

    def __init__(self, timeout_ns: int, required: tuple[Download, ...] = tuple(Download)) -> None:
        self._timeout_ns = timeout_ns
        self._required = required
        self._asked: dict[Download, _Asked] = {}
        self._number = 0
        self._answered: list[int] = []
        """Of which questions an answer has come, by their number; the last few."""

    def clear(self) -> None:
        self._asked.clear()
        self._answered.clear()

    def asked(self, download: Download, now_ns: int) -> None:
        """Anew, or once more: what came before the repeat still counts as half a list."""
        known = self._asked.get(download)
        self._number += 1
        if known is not None and known.answer is Answer.WAITING:
            known.tries += 1
            known.number = self._number
            known.deadline_ns = now_ns + self._timeout_ns
        else:
            self._asked[download] = _Asked(deadline_ns=now_ns + self._timeout_ns, number=self._number)

    def forget(self, download: Download) -> None:
        """What was answered does not hold any more, and it will be asked again."""
        self._asked.pop(download, None)

    def row(self, download: Download) -> None:
        if (asked := self._asked.get(download)) and asked.answer is Answer.WAITING:
            asked.rows += 1

    def end(self, download: Download) -> bool:
        """The end marker came; True if it was waited for."""
        asked = self._asked.get(download)
        if asked is None or asked.answer is Answer.COMPLETE:
            return False
        asked.answer = Answer.COMPLETE
        self._answered = [*self._answered[1 - 2 * self.WITNESSES :], asked.number]
        return True

    def expired(self, now_ns: int) -> tuple[Download, ...]:
        """Those whose time is up: to be asked once more, or given up."""
        return tuple(
            download
            for download, asked in self._asked.items()
            if asked.answer is Answer.WAITING and now_ns >= asked.deadline_ns
        )

    def give_up(self, download: Download) -> Answer:
        """After the retry: unconfirmed if nothing of it came although later ones were answered, else still waiting."""
        asked = self._asked[download]
        if asked.rows == 0 and sum(number > asked.number for number in self._answered) >= self.WITNESSES:
            asked.answer = Answer.UNCONFIRMED
        return asked.answer

    def witnesses(self) -> tuple[Download, ...]:
        """Lists that are answered here: asked once more behind a silent one, they tell whose silence it is."""
        answered = (d for d in Download if (a := self._asked.get(d)) and a.answer is Answer.COMPLETE)
        return tuple(answered)[: self.WITNESSES]

    def tries(self, download: Download) -> int:
        asked = self._asked.get(download)
        return asked.tries if asked else 0

    def answer(self, download: Download) -> Answer | None:
        asked = self._asked.get(download)
        return asked.answer if asked else None

    @property
    def next_deadline_ns(self) -> int | None:
        waiting = [asked.deadline_ns for asked in self._asked.values() if asked.answer is Answer.WAITING]
        return min(waiting, default=None)

    @property
    def finished(self) -> bool:
        """All that are required were asked and none is waited for."""
        return all(download in self._asked for download in self._required) and not self.waiting

    @property
    def complete(self) -> bool:
        """Finished, and every end marker was seen: absence now proves absence."""
        return self.finished and not self.unconfirmed

    @property
    def waiting(self) -> tuple[Download, ...]:
        return tuple(d for d in Download if (a := self._asked.get(d)) and a.answer is Answer.WAITING)

    @property
    def unconfirmed(self) -> tuple[Download, ...]:
        return tuple(d for d in Download if (a := self._asked.get(d)) and a.answer is Answer.UNCONFIRMED)
