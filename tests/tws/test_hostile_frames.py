"""Whatever a known message is garbled into, it is read, skipped, or blamed on the frame: never on us, never ignored.

A hundred thousand frames in the ordinary run; ``--garbled 10000000 --timeout 0`` takes as many as it says, for minutes.
"""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from ibkr_adapter.events import LossCause
from ibkr_adapter.tws.callbacks import Callbacks
from ibkr_adapter.tws.decoding import FrameDecoder
from ibkr_adapter.tws.dialogue import fault
from ibkr_adapter.tws.progress import Counters
from tests.tws.test_captures import CAPTURED

pytestmark = pytest.mark.wire

SEEDS = 4

KEPT_BYTES_MAX = 8_000_000
"""What the process may grow by, however many frames there were: a few hundred bytes kept of each would show."""

HOSTILE = [
    b"",
    b"NaN",
    b"sNaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"x",
    b"1.7976931348623157E308",
    b"2147483647",
    b"9223372036854775807",
    b"99999999999999999999",
    b"0x10",
    b"\xff\xfe",
    "\u0663".encode(),
]


def garbled(dice: random.Random, version: int, body: bytes) -> bytes:
    """The same message with a field replaced, lost or doubled, or with bytes changed or cut off."""
    head = 4 if version >= 201 else 0
    is_text = version < 201 or int.from_bytes(body[:4], "big") <= 200
    fields = body[head:].split(b"\0")
    if is_text and len(fields) > 2 and dice.random() < 0.5:
        at = dice.randrange(0 if head else 1, len(fields) - 1)
        dice.choice((_replace, _replace, _replace, _drop, _double))(dice, fields, at)
        return body[:head] + b"\0".join(fields)
    changed = bytearray(body)
    for _ in range(dice.randrange(1, 5)):
        if len(changed) > head:
            changed[dice.randrange(head, len(changed))] = dice.randrange(0, 256)
    return bytes(changed[: dice.randrange(len(changed) + 1)] if dice.random() < 0.3 else changed)


def _replace(dice: random.Random, fields: list[bytes], at: int) -> None:
    fields[at] = dice.choice(HOSTILE)


def _drop(dice: random.Random, fields: list[bytes], at: int) -> None:
    del fields[at]


def _double(dice: random.Random, fields: list[bytes], at: int) -> None:
    fields.insert(at, dice.choice(HOSTILE))


@pytest.mark.filterwarnings(
    "ignore:invalid escape sequence:DeprecationWarning"
)  # the official decoder's unicode-escape
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.fault("A18", "A19")
def test_garbled_messages_are_blamed_on_the_frame(seed: int, request: pytest.FixtureRequest) -> None:
    """Thousands of garbled captures; a failure is always MALFORMED, an event always complete, and nothing is kept."""
    count = int(request.config.getoption("--garbled")) // SEEDS
    dice = random.Random(seed)
    frames = [(version, bytes.fromhex(record["hex"])) for version in CAPTURED for record in CAPTURED[version]]
    callbacks = Callbacks(1)
    decoders = {version: FrameDecoder(callbacks, version, Counters()) for version in CAPTURED}
    causes = Counter[LossCause]()
    before_bytes = 0
    for number in range(count):
        if number == count // 5:  # whatever is made once has been made
            before_bytes = resident_bytes()
        version, body = dice.choice(frames)
        body = garbled(dice, version, body)
        try:
            decoders[version].decode(body)
        except Exception as failure:  # noqa: BLE001 - any exception at all is what is judged here
            causes[fault(failure)] += 1
        callbacks.control.clear()
        callbacks.bulk.clear()
    assert set(causes) == {LossCause.MALFORMED}
    assert causes.total() < count
    assert resident_bytes() - before_bytes <= KEPT_BYTES_MAX


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
