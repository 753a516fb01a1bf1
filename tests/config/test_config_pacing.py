"""How fast we may speak is IB's rule before it is ours."""

from __future__ import annotations

import pytest

from ibkr_adapter.config.reading import parse
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.errors import ConfigurationError


def test_a_login_with_more_lines_may_speak_faster() -> None:
    """Half as many messages a second as lines; what is configured reaches the core."""
    config = parse(
        "[pacing]\nlines = 400\nmessages_max = 190\nmessages_reserved = 10\ndepth = 4\ntick_by_tick = 20\n", "x"
    )

    pacing = Settings.of(config).pacing

    assert (pacing.messages_max, pacing.messages_reserved, pacing.messages_burst) == (190, 10, 5)
    assert (pacing.lines, pacing.depth, pacing.tick_by_tick) == (400, 4, 20)
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("messages_max = 46", "messages_max", "51 a second, IB allows 50 for 100 lines"),
        ("lines = 400\nmessages_max = 196", "messages_max", "201 a second, IB allows 200 for 400 lines"),
        ("lines = 20\nmessages_max = 46", "messages_max", "IB allows 50 for 20 lines"),
        ("messages_max = 9", "messages_max", "at least 10"),
        ("messages_reserved = 0", "messages_reserved", "at least 1"),
        ("messages_burst = 0", "messages_burst", "from 1 to messages_max"),
        ("messages_burst = 46", "messages_burst", "from 1 to messages_max"),
        ("lines = -1", "lines", "from 0 to 10000"),
        ("depth = 61", "depth", "from 0 to 60"),
        ("tick_by_tick = 501", "tick_by_tick", "from 0 to 500"),
        ('lines = "100"', "lines", "whole number"),
    ],
)
def test_what_ib_would_punish_is_refused_before_anything_starts(text: str, key: str, said: str) -> None:
    """With the key, what is wrong with it, and what to do."""
    with pytest.raises(ConfigurationError) as refused:
        parse(f"[pacing]\n{text}\n", "x")

    assert f"pacing.{key}" in str(refused.value)
    assert said in str(refused.value)


def test_fewer_lines_than_instruments_is_known_before() -> None:
    """A warning and no refusal: the lines of a login change."""
    config = parse("[pacing]\nlines = 2\n", "x")
    assert config.warnings == ("pacing.lines: 10 instruments for 2 lines: the last ones wait",)
