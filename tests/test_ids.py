from __future__ import annotations

from uuid import UUID

from ibkr_adapter.ids import new_key


def test_a_key_is_a_version_7_uuid() -> None:
    """Version and variant as RFC 9562 wants them."""
    key = UUID(new_key())
    assert key.version == 7
    assert key.variant == "specified in RFC 4122"


def test_keys_never_repeat_and_sort_by_the_moment_they_were_made() -> None:
    """Ten thousand in a row are all different, and the time at their front never goes back."""
    keys = [new_key() for _ in range(10_000)]
    assert len(set(keys)) == 10_000
    moments = [UUID(key).int >> 64 for key in keys]
    assert moments == sorted(moments)
