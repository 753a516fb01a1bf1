"""No process outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.processes.desk import Desk


@pytest.fixture(autouse=True)
def _no_service_left() -> Iterator[None]:
    yield
    for desk in Desk.started:
        desk.kill()
    Desk.started.clear()
