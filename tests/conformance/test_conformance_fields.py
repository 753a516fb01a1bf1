"""A client of bare sockets counts the fields of each message: as many as in frames captured from real gateways.

It shares no code with the simulator: its requests are written out, and it only splits what it reads.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing

import pytest

from tws_simulator import Gateway, running_gateway

AAPL = "265598|AAPL|STK||0.0|||SMART||USD||"
# Message id -> number of fields with the id itself; counted in captures of server versions 151, 173 and 200, which
# agree where they overlap. Of an error 151 has no advanced reject; 200 a time instead of the message's version.
FIELDS = {1: 7, 2: 5, 9: 3, 15: 3, 45: 5, 46: 5, 49: 3, 52: 3, 53: 2, 57: 3, 58: 4, 61: 16, 62: 2, 63: 7, 64: 3, 81: 5}
ERROR_FIELDS = {151: 5, 176: 6, 178: 6, 193: 6, 200: 6}


class BareClient:
    def __init__(self, port: int, server_version: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.sendall(b"API\0" + self._framed(f"v{server_version}..{server_version}".encode()))
        self.hello = self.read()
        self.send("71|2|9|")

    def send(self, fields: str) -> None:
        self._socket.sendall(self._framed((fields + "|").replace("|", "\0").encode()))

    def read(self) -> list[str]:
        length = struct.unpack("!I", self._exactly(4))[0]
        *fields, rest = self._exactly(length).decode().split("\0")
        assert rest == "", "each field ends with a zero"
        return fields

    def until(self, message_id: int) -> Iterator[list[str]]:
        while True:
            fields = self.read()
            yield fields
            if fields[0] == str(message_id):
                return

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self._socket.recv(count - len(found))
            assert more, "the gateway closed the connection"
            found += more
        return found

    @staticmethod
    def _framed(payload: bytes) -> bytes:
        return struct.pack("!I", len(payload)) + payload


@pytest.mark.parametrize("server_version", [151, 176, 178, 193, 200])
def test_messages_have_as_many_fields_as_captured_ones(server_version: int) -> None:
    """Greeting, time, quotes, details' end, positions, summary, and the end of the open orders."""
    seen: dict[int, set[int]] = defaultdict(set)
    issuer = "|" if server_version >= 176 else ""
    asked = [
        ("49|1", 49),
        (f"9|8|1|{AAPL}|0||{issuer}", 52),
        ("61|1", 62),
        ("62|1|2|All|NetLiquidation,BuyingPower", 64),
        ("5|1", 53),
        (f"1|11|3|{AAPL}|0||1|0|", 57),
    ]
    gateway = Gateway(seed=7, server_version=server_version, tick_interval_s=0.02)
    with running_gateway(gateway) as running, closing(BareClient(running.port, server_version)) as client:
        assert (client.hello[0], len(client.hello)) == (str(server_version), 2)
        for request, last in asked:
            client.send(request)
            for fields in client.until(last):
                seen[int(fields[0])].add(len(fields))
    assert seen.pop(4) == {ERROR_FIELDS[server_version]}
    counts = seen.pop(10)
    assert server_version != 200 or counts <= {42, 44}, "as captured: with one security id, and without"
    assert {message_id: {count} for message_id, count in FIELDS.items() if message_id in seen} == dict(seen)
    assert {1, 2, 9, 15, 49, 52, 53, 57, 58, 61, 62, 63, 64, 81} <= set(seen)
