"""XLSX workbooks: sheets by relationship, streamed row by row; only the shared texts are held."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.files.parsing import limits
from shared.files.parsing.archive import Archive
from shared.files.parsing.limits import OverLimit, Stopwatch
from shared.files.parsing.number_formats import Temporal
from shared.files.parsing.package import Relation, main_part, relations
from shared.files.parsing.result import Found
from shared.files.parsing.sheets import Sheet, read_sheets
from shared.files.parsing.sniffed import Sniffed
from shared.files.parsing.xlsx_cells import CellReading, Cells
from shared.files.parsing.xlsx_parts import SharedTexts, Styles, WorkbookPart
from shared.files.parsing.xml import steps, walk


def read(sniffed: Sniffed, stopwatch: Stopwatch) -> Found:
    """The first visible sheet with content as a table, all of them in `sheets`."""
    workbook = _Workbook(Archive(sniffed.path), stopwatch)
    return read_sheets(workbook.sheets(), stopwatch)


@dataclass
class _Workbook:
    archive: Archive
    stopwatch: Stopwatch
    cells_left: int = limits.CELLS

    def sheets(self) -> Iterator[Sheet]:
        main = main_part(self.archive)
        related = relations(self.archive, main)
        part = WorkbookPart()
        self._walk(main, part)
        reading = CellReading(self._texts(related), self._formats(related), part.starts_1904)
        targets = {relation.id: relation for relation in related}
        for name, id_, hidden in part.sheets:
            target = targets.get(id_)
            # Chart and macro sheets have no cells.
            if target is not None and target.kind == "worksheet":
                cells = Cells(reading)
                yield Sheet(name, hidden, self._rows(target.target, cells), cells.warnings)

    def _walk(self, part: str, handler: "WorkbookPart | SharedTexts | Styles") -> None:
        walk(self.archive.open(part), part, handler, self.stopwatch)

    def _texts(self, related: list[Relation]) -> list[str]:
        texts = SharedTexts()
        for relation in related:
            if relation.kind == "sharedStrings" and relation.target in self.archive.names:
                self._walk(relation.target, texts)
        return texts.texts

    def _formats(self, related: list[Relation]) -> list[Temporal | None]:
        styles = Styles()
        for relation in related:
            if relation.kind == "styles" and relation.target in self.archive.names:
                self._walk(relation.target, styles)
        return styles.formats()

    def _rows(self, part: str, cells: Cells) -> Iterator[list[str]]:
        for _ in steps(self.archive.open(part), part, cells, self.stopwatch):
            for row in cells.rows:
                self.cells_left -= len(row)
                yield row
            cells.rows.clear()
            if self.cells_left < 0:
                raise OverLimit(f"the workbook has more than {limits.CELLS // 1_000_000} million cells")
