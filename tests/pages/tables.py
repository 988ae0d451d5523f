"""The tables of a page, as text, for comparing them with the page's JSON twin."""

from html.parser import HTMLParser

Rows = list[list[str]]


class Reader(HTMLParser):
    """Reads tables by their place on the page; what screen readers alone are told
    counts as text, pictures do not."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Rows] = []
        self.open: list[Rows] = []
        self.cell: list[str] | None = None
        self.drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 -- the parser's signature
        if tag == "svg":
            self.drawings += 1
        elif tag == "table":
            self.tables.append([])
            self.open.append(self.tables[-1])
        elif tag == "tr":
            self.open[-1].append([])
        elif tag in ("td", "th"):
            self.cell = []
        elif self.cell is not None and tag != "wbr":
            self.cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg":
            self.drawings -= 1
        elif tag == "table":
            self.open.pop()
        elif tag in ("td", "th") and self.cell is not None:
            self.open[-1][-1].append(" ".join("".join(self.cell).split()))
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None and not self.drawings:
            self.cell.append(data)


def read_tables(text: str) -> list[Rows]:
    """Return the tables of a page, each as rows of texts; the first row is its heading."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.tables


def find_table(text: str, *headings: str) -> Rows:
    """Return the body of the first table whose heading holds these."""
    for table in read_tables(text):
        if table and all(any(heading in cell for cell in table[0]) for heading in headings):
            return table[1:]
    raise AssertionError(f"no table of {headings}")
