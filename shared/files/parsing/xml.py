"""XML from strangers: streamed through expat; documents that declare a DTD are refused, and with it all entities."""

from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NoReturn
from xml.parsers import expat

from shared.files.parsing.limits import Malformed, Stopwatch

_CHUNK: Final = 1 << 16
Attributes = dict[str, str]


class Handler:
    """What a reader of one part does; names come without their prefixes."""

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, data: str) -> None:
        """Characters, a piece at a time."""


def walk(stream: IO[bytes], part: str, handler: Handler, stopwatch: Stopwatch) -> None:
    """Reads the part whole."""
    for _ in steps(stream, part, handler, stopwatch):
        pass


def steps(stream: IO[bytes], part: str, handler: Handler, stopwatch: Stopwatch) -> Iterator[None]:
    """Reads the part piece by piece, so that what the handler gathered can be taken in between."""
    parser = _parser(handler)
    with stream:
        while True:
            chunk = stream.read(_CHUNK)
            try:
                parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
                    raise MemoryError from error
                raise Malformed(f"{part} is not valid XML: {error}") from error
            except (UnicodeError, LookupError) as error:
                raise Malformed(f"{part} is in no encoding that is known") from error
            yield
            if not chunk:
                return
            stopwatch.check()


def _parser(handler: Handler) -> Any:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _CHUNK
    parser.StartDoctypeDeclHandler = _refuse
    start, end = handler.start, handler.end
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = _without_prefix(end)
    parser.CharacterDataHandler = handler.text
    return parser


def _without_prefix(end: Callable[[str], None]) -> Callable[[str], None]:
    return lambda name: end(name.rpartition(":")[2])


def _refuse(*declared: Any) -> NoReturn:
    raise Malformed("the document declares a DTD, which no office document does")


def attribute(attributes: Attributes, name: str) -> str:
    """An attribute whatever its prefix; empty when there is none."""
    found = attributes.get(name)
    if found is not None:
        return found
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), "")
