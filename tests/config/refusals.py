"""Configurations that must not be accepted."""

from __future__ import annotations

import pytest

from ibkr_adapter.config.reading import parse
from ibkr_adapter.errors import ConfigurationError


def refused(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "desk.toml")
    return caught.value
