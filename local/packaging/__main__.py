"""The plugin's way in: `{function: {"handler", "artifact"}}` as JSON on standard input, zips on disk."""

import json
import sys
from pathlib import Path

from local.packaging.build import Built, Function, build
from local.packaging.bytecode import compiler
from local.packaging.imports import UnknownImport
from local.packaging.wheels import PYTHON, BadLock


def main() -> int:
    """Builds under the current folder; says what it made on standard error."""
    root = Path.cwd()
    declared = json.load(sys.stdin)
    functions = [Function(name, it["handler"], Path(it["artifact"])) for name, it in declared.items()]
    try:
        built = build(root, functions, root / ".build")
    except (UnknownImport, BadLock) as error:
        _say(f"error: {error}")
        return 1
    for one in built:
        _say(_summary(root, one))
    if compiler() is None:
        _say(f"no Python {PYTHON} here: the zips have sources only, and cold starts will be slower")
    return 0


def _summary(root: Path, built: Built) -> str:
    size = (root / built.function.artifact).stat().st_size // 1024
    return f"{built.function.name}: {size} KB, {len(built.files)} files, {', '.join(sorted(built.packages))}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
