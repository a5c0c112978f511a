"""The next version of the code, as it could be: it has another schema and writes more than this one knows."""

import shutil
from pathlib import Path

from tests.support.stack import ROOT

# What stands where in the scripts and their callers, and what the next version has there.
_CHANGES = {
    "shared/state/lua/schema.lua": [("local SCHEMA = 1", "local SCHEMA = 2")],
    "shared/auth/lua/connection.lua": [
        ("'schema' }", "'schema', 'device' }"),
        ("record.schema = SCHEMA", "record.schema, record.device = SCHEMA, 'phone'"),
    ],
    "shared/auth/sockets.py": [("[identity.scope.label, *known]", '[identity.scope.label, *known, "phone"]')],
    "shared/realtime/lua/hash.lua": [
        ("put(ch, 'v', SCHEMA)", "put(ch, 'v', SCHEMA); put(ch, 'next', 'was here')"),
    ],
    "shared/realtime/lua/fields.lua": [("local META, OF_CHANNEL = {", "local META, OF_CHANNEL = { 'next',")],
    "shared/realtime/lua/membership.lua": [("member_text(member))", "member_text(member) .. '\\nphone')")],
    "shared/realtime/lua/append.lua": [("top_id(ch), kind, body)", "top_id(ch), kind, body, 'device', 'phone')")],
    "shared/realtime/lua/channel.lua": [
        ("  append(ch, 'pub', body)", "  append(ch, 'note', 'of the next version')\n  append(ch, 'pub', body)")
    ],
    "shared/realtime/lua/publish.lua": [
        ("append(ch, A.kind, A.body)", "append(ch, 'note', 'of the next version'); append(ch, A.kind, A.body)")
    ],
    "shared/realtime/delivery.py": [('"lane": lane.number}', '"lane": lane.number, "device": "phone"}')],
}


def write_next_version(root: Path) -> Path:
    """A copy of what is deployed, changed."""
    for part in ("functions", "shared"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in _CHANGES.items():
        text = (root / name).read_text()
        for present, following in changes:
            assert present in text, f"{name} has no {present!r}"
            text = text.replace(present, following)
        (root / name).write_text(text)
    return root
