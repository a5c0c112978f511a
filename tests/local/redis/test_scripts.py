"""Only the key-locking flag is taken out of a script, and only where Upstash would honour it."""

import pytest

from local.redis.scripts import without_key_locking


@pytest.mark.parametrize(
    ("script", "stripped", "flagged"),
    [
        (b"#!lua flags=allow-key-locking\nreturn 1", b"#!lua\nreturn 1", True),
        (b"#!lua flags=no-writes,allow-key-locking\nreturn 1", b"#!lua flags=no-writes\nreturn 1", True),
        (b"#!lua name=x flags=allow-key-locking,allow-oom\r\nreturn 1", None, True),
        (b"#!lua flags=allow-key-locking", b"#!lua", True),
        (b"#!lua\n-- allow-key-locking\nreturn 1", None, False),
        (b"\n#!lua flags=allow-key-locking\nreturn 1", None, False),
        (b"return 'flags=allow-key-locking'", None, False),
        (b"", None, False),
    ],
)
def test_the_flag_is_stripped(script: bytes, stripped: bytes | None, flagged: bool) -> None:
    result, found = without_key_locking(script)
    assert found is flagged
    if stripped is not None:
        assert result == stripped
    if not flagged:
        assert result == script
    assert result.count(b"\n") == script.count(b"\n")
