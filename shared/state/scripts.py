"""Lua scripts live in files beside the Python that calls them; this loads, composes and names them.

A script's header says what it needs and what it gives:

    -- publish: append a publication to a channel's log
    -- USES realtime/channel     fragments (shared/realtime/lua/channel.lua) put in front of it, and theirs
    -- KEYS channel, log         every key it touches, in order
    -- ARGV data, now_ms         every argument, in order, units in the names
    -- RETURNS offset

Inside, `K.channel` and `A.data` are the keys and arguments by name (every key beyond the named ones is `KEYS[i]`).
"""

import hashlib
import re
from functools import cached_property
from pathlib import Path

_HEADER = re.compile(r"^-- (USES|KEYS|ARGV)\s+(.*)$", re.M)
_SHARED = Path(__file__).parent.parent
# Upstash locks the whole database for a script without this line, so that one tenant would block all.
_KEY_LOCKING = "#!lua flags=allow-key-locking\n"


class Script:
    """One Lua script: its text as the server gets it, and the names of its keys and arguments."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._body = path.read_text()
        header = dict(_HEADER.findall(self._body))
        self.key_names = _names(header.get("KEYS", ""))
        self.argument_names = _names(header.get("ARGV", ""))
        self._fragments = _names(header.get("USES", ""))

    @cached_property
    def source(self) -> str:
        """The text, fragments and key-locking flag included."""
        fragments: dict[str, str] = {}
        _collect(self._fragments, fragments)
        return "".join((_KEY_LOCKING, self._bindings(), *fragments.values(), self._body))

    @cached_property
    def sha1(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def _bindings(self) -> str:
        keys = ", ".join(f"{name} = KEYS[{i}]" for i, name in enumerate(self.key_names, 1))
        arguments = ", ".join(f"{name} = ARGV[{i}]" for i, name in enumerate(self.argument_names, 1))
        return f"local K, A = {{{keys}}}, {{{arguments}}}\n"


def script(module_file: str, name: str) -> Script:
    """The script `<name>.lua` in the folder `lua` beside the calling module (`__file__`)."""
    return Script(Path(module_file).parent / "lua" / f"{name}.lua")


def _collect(names: tuple[str, ...], fragments: dict[str, str]) -> None:
    """Adds the fragments, each once and after those that it uses itself."""
    for name in names:
        if name in fragments:
            continue
        layer, stem = name.split("/")
        text = (_SHARED / layer / "lua" / f"{stem}.lua").read_text()
        _collect(_names(dict(_HEADER.findall(text)).get("USES", "")), fragments)
        fragments[name] = text


def _names(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z_0-9/]+", text))
