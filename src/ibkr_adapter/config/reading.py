"""Files, texts and the demo become a ``Config``; sizes are bounded before anything is parsed."""

from __future__ import annotations

import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ibkr_adapter.config.defaults import FILE_BYTES_MAX, SIMULATED
from ibkr_adapter.config.model import Config
from ibkr_adapter.config.resolving import resolve
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.instruments import Instrument


def load(path: str | os.PathLike[str], *, component: str = "") -> Config:
    """The configuration in a file; as another of its components reads it, where one is named."""
    file = Path(path).expanduser()
    try:
        with file.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
        text = raw.decode("utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "", f"there is no file {str(path)!r}", remedy="`ibkr-adapter config template` prints one to start from"
        ) from None
    except OSError as error:
        raise ConfigurationError("", f"cannot read {str(path)!r}: {error.strerror}", remedy="check the path") from None
    except (UnicodeDecodeError, ValueError):
        raise ConfigurationError("", f"{str(path)!r} is not UTF-8 text", remedy="save it as UTF-8") from None
    return parse(text, str(path), base=file.resolve().parent, component=component)


def parse(text: str, origin: str, *, base: Path | None = None, component: str = "") -> Config:
    """The configuration in a text. ``origin`` names it in messages; relative paths count from ``base``."""
    if len(text) > FILE_BYTES_MAX:
        raise ConfigurationError("", f"{origin}: more than {FILE_BYTES_MAX} bytes", remedy="this is no configuration")
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error) or "a number out of range"
        raise ConfigurationError("", f"{origin}: not TOML: {reason}", remedy="see https://toml.io") from None
    return resolve(document, origin, base or Path.cwd(), component=component)


def simulated(
    port: int,
    account: str,
    data_dir: str | os.PathLike[str],
    listen: str = "127.0.0.1:8080",
    instruments: tuple[Instrument, ...] = (),
) -> Config:
    """The configuration of the demo: that port and that account only, trading on, paper limits."""
    name, directory = "simulator", Path(data_dir).resolve()
    document: dict[str, Any] = {
        "environment": SIMULATED,
        "data_dir": str(directory),
        "environments": {SIMULATED: {"account": account, "gateway": name}},
        "gateways": {name: {"port": port, "kind": "paper"}},
        "trading": {"enabled": True},
        "http": {"listen": listen},
    }
    config = resolve(document, "demo", directory, demo=True)
    return replace(config, instruments=instruments) if instruments else config
