"""The files that indexes offer, by pip's private log (``PIP_LOG``).

pip notes every file of every page it reads, and pip-tools has it read each page once more to hash.
That is nearly all of the log, and where projects have many releases a third of a compile's time: so
a compile writes them down by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

# Run before pip-tools, in its process. pip has no setting for this: of its logger we rely on the
# name, and on how messages begin; were they others, it would note all of them, as it does itself.
# The first file of each page stays in the log, too: a page without one tells of a failure.
_KEEP_APART = """
import atexit, logging, re

class Files:
    def __init__(self, note):
        self.note, self.pages, self.page = note, set(), ""
        self.kept = open(LINKS, "w", encoding="utf-8", errors="replace")
        atexit.register(self.kept.close)

    def __call__(self, message, *args, **more):
        if self.is_for_the_log(message, args):
            self.note(message, *args, **more)

    def is_for_the_log(self, message, args):
        if message.startswith("Found link"):
            link, told = args
            shown = self.show(link), told
        elif message.startswith("Skipping link"):
            told, link = args
            shown = told, self.show(link)
        else:
            if message.startswith("Fetching project page"):
                self.page = str(args[0])
            return True
        self.kept.write(f"  {message % shown}\\n")
        is_first = self.page not in self.pages
        self.pages.add(self.page)
        return is_first

    def show(self, link):
        url = link.url if hasattr(link, "url") else str(link)
        url = re.sub("//[^/@ ]*@", "//", url) if "@" in url else url
        return f"{url} (from {self.page})"

def make_record(name, level, path, line, message, args, *rest, **more):
    if name == "pip._internal.index.package_finder":
        logging.setLogRecordFactory(plain)
        logger = logging.getLogger(name)
        logger.debug = Files(logger.debug)
        logger.debug.is_for_the_log(message, args)
    return plain(name, level, path, line, message, args, *rest, **more)

plain = logging.getLogRecordFactory()
logging.setLogRecordFactory(make_record)
"""

# Of the files of a project: one that pip may take, and one for another platform.
_OFFERED = ("  Found link ", "  Skipping link: none of the wheel's tags ")


class Offer(NamedTuple):
    """A file that an index offers.

    Attributes:
        project: whose it is, normalized.
        version: of what.
        file: its name.
        page: where it is offered: of an index, or a folder.
        fits: whether it is for this Python and platform.
    """

    project: str
    version: str
    file: str
    page: str
    fits: bool = True


def keep_apart(path: Path) -> str:
    """Return code that has pip-tools, run after it, note the files of indexes in `path`."""
    return f"LINKS = {str(path)!r}\n{_KEEP_APART}"


def offers(log: str) -> set[Offer]:
    """Return the files that pip found and can take, for whatever platform they are.

    `log` is what was kept apart, or pip's log if nothing was. What it says of a file first counts:
    to hash, pip-tools has each page read once more, and takes all for this platform's.
    """
    found: dict[tuple[str, str], Offer] = {}
    for line in log.splitlines():
        head, is_link, tail = line.partition(" (from ")
        if not is_link or not any(sign in head for sign in _OFFERED):
            continue
        url = head.rpartition(" ")[2].partition("#")[0]
        file = unquote(url.rpartition("/")[2])
        told = tail.partition(", version: ")[2]
        name, _, rest = file.partition("-")
        if not file.endswith(".whl"):
            name = file[: max(file.rfind(f"-{told}"), 0)]
        version = told or rest.partition("-")[0]
        is_local = url.startswith("file:")
        page = url.rpartition("/")[0] if is_local else tail.partition(")")[0]
        offer = Offer(canonicalize_name(name), version, file, page, _OFFERED[0] in head)
        found.setdefault((file, page), offer)
    return set(found.values())
