"""Numbers that look random and are the same on every machine."""

from __future__ import annotations

from random import Random
from typing import Final

MASK_64: Final = (1 << 64) - 1


def mixed(number: int) -> int:
    """64 well mixed bits of a number: the finaliser of the splitmix generator."""
    number = (number + 0x9E3779B97F4A7C15) & MASK_64
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK_64
    return number ^ (number >> 31)


def bell(rng: Random) -> float:
    """Nearly normal, mean 0, standard deviation 1, never beyond 8: counts random bits, alike on every machine."""
    return (rng.getrandbits(64).bit_count() - 32) / 4
