from __future__ import annotations

import re
from importlib.resources import files

STATIC = files("ibkr_adapter.console").joinpath("static")
PAGE = STATIC.joinpath("index.html").read_text()
SCRIPT = STATIC.joinpath("page.js").read_text()
STYLE = STATIC.joinpath("page.css").read_text()


def test_nothing_comes_from_elsewhere() -> None:
    """No address of another host in page, script or style: the desk may have no internet."""
    for text in (PAGE, SCRIPT, STYLE):
        assert not re.search(r"https?://(?!www\.w3\.org)", text)


def test_there_is_no_inline_script_or_style() -> None:
    """The content security policy forbids both, so neither may be there."""
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", PAGE)


def test_the_script_only_writes_text() -> None:
    """Words that came from a broker can never become markup."""
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", SCRIPT)


def test_every_element_the_script_looks_for_exists() -> None:
    """Each id used by the script is on the page, once."""
    used = set(re.findall(r'\$\("([a-z-]+)"\)', SCRIPT))
    present = re.findall(r'\sid="([a-z-]+)"', PAGE)
    assert used <= set(present)
    assert len(present) == len(set(present))


def test_every_section_has_a_name() -> None:
    """Landmarks are labelled for those who listen to the page, and every column head says it is one."""
    for section in re.findall(r"<section[^>]*>", PAGE):
        assert "aria-labelledby" in section
    assert "<th>" not in PAGE
    assert '<html lang="en"' in PAGE


def test_motion_is_optional() -> None:
    """Price flashes exist only where motion was not declined."""
    motion = STYLE.index("prefers-reduced-motion: no-preference")
    assert motion < STYLE.index(".flash-up") < STYLE.index("@keyframes")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_is_readable_in_both_schemes() -> None:
    """At least 4.5:1 (WCAG AA) for every text colour on what it stands on, and for white on the badge."""
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in _schemes())
    for colours in (light, light | dark):
        for ink in ("ink", "dim", "up", "down", "good", "warn", "bad"):
            for ground in ("card", "ground"):
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for level in ("good", "warn", "bad"):
            assert _contrast(colours[level], colours[f"{level}-wash"]) >= 4.5, level
        for kind in ("paper", "live", "simulated", "unknown"):
            assert _contrast("#ffffff", colours[kind]) >= 4.5, kind


def _schemes() -> tuple[str, str]:
    first = STYLE.index("prefers-color-scheme: dark")
    return STYLE[:first], STYLE[first : STYLE.index("html[data-kind")]
