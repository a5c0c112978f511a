"""`traffic-cop`: the whole service on this machine, and tokens to try it with."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local import rundir
from local.demo_users import DEMO_USERS, PASSWORD
from local.ports import DEFAULT_BASE
from local.refused import Refused
from local.tokens import access_token

_HIGHEST_BASE = 65_530
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; errors are one line on standard error."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.run is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        asked.run(asked)
    except (PermissionError, Refused) as error:
        print(f"traffic-cop: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="traffic-cop", description=__doc__)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    up = commands.add_parser("up", help="run everything on this machine until Ctrl-C")
    up.add_argument("--json", action="store_true", help="print one line of JSON once ready, and nothing else")
    up.add_argument(
        "--port-base", type=_port_base, default=DEFAULT_BASE, metavar="N", help="0: free ports (default 4000)"
    )
    up.add_argument("--workers", type=_workers, default=3, metavar="N", help="environments per function (default 3)")
    up.add_argument("--data", type=_folder, metavar="DIR", help="keep Redis, S3 and the users there from run to run")
    up.add_argument("--verbose", action="store_true", help="show what the functions print")
    up.set_defaults(run=_up)
    token = commands.add_parser("token", help="print an access token of a user of the running stack")
    token.add_argument("email", metavar="EMAIL", help=f"for example {DEMO_USERS[0].email}")
    token.add_argument("--password", default=PASSWORD, help="of the demo users unless given")
    token.add_argument(
        "--port-base", type=_port_base, metavar="N", help="of which stack (default 4000, else the newest)"
    )
    token.set_defaults(run=_token)
    return parser


def _port_base(text: str) -> int:
    base = _number(text)
    if base != 0 and not 1024 <= base <= _HIGHEST_BASE:
        raise argparse.ArgumentTypeError(f"0, or 1024 to {_HIGHEST_BASE}")
    return base


def _workers(text: str) -> int:
    workers = _number(text)
    if workers < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return workers


def _folder(text: str) -> Path:
    path = Path(text).resolve()
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _up(asked: argparse.Namespace) -> None:
    # The stack takes half a second to import, and the other commands do without.
    from local.stack import StackOptions
    from local.up import up

    options = StackOptions(port_base=asked.port_base, workers=asked.workers, data_dir=asked.data, verbose=asked.verbose)
    up(options, asked.json)


def _token(asked: argparse.Namespace) -> None:
    stack = rundir.find(asked.port_base)
    print(access_token(stack["supabase_url"], stack["supabase_anon_key"], asked.email, asked.password))
