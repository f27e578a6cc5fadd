"""What pip's private log (``PIP_LOG``) tells of the files that indexes offer.

pip notes every file of every page it reads, and pip-tools has it read each page once more to hash.
That is most of the log, and where projects have many releases a third of a compile's time: so a
compile is told how much of it to note.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from packaging.utils import canonicalize_name

# Run before pip-tools, in its process. pip has no setting for this: of its logger we rely on the
# name, and on how messages begin; were they others, it would note all of them, as it does itself.
_FILTER = """
import logging

class Fewer(logging.Filter):
    pages, noted, over = set(), set(), False

    def filter(self, record):
        message = str(record.msg)
        is_found = message.startswith("Found link")
        if not is_found and not message.startswith("Skipping link"):
            page = str(record.args)
            self.over = message.startswith("Fetching project page") and page in self.pages
            self.pages.add(page)
            self.noted.clear()
        elif self.over:
            return False
        elif VERSIONS:
            what, last = record.args
            file = str(getattr(last, "url", last)).rpartition("/")[2]
            key = (True, last) if is_found else (what[:5], *file.split("-")[:2])
            if key in self.noted:
                return False
            self.noted.add(key)
        return True

def make_record(name, *rest, **more):
    if name == "pip._internal.index.package_finder":
        logging.setLogRecordFactory(plain)
        logging.getLogger(name).addFilter(Fewer())
    return plain(name, *rest, **more)

plain = logging.getLogRecordFactory()
logging.setLogRecordFactory(make_record)
"""
# To note each file but once, or of each version but one file that fits and one that does not.
FILES = f"VERSIONS = False\n{_FILTER}"
VERSIONS = f"VERSIONS = True\n{_FILTER}"

# Of the files of a project: one that pip may take, and one for another platform.
_OFFERED = ("  Found link ", "  Skipping link: none of the wheel's tags ")


class Offer(NamedTuple):
    """A file that an index offers.

    Attributes:
        project: whose it is, normalized.
        version: of what.
        file: its name.
        page: where it is offered.
        fits: whether it is for this Python and platform.
    """

    project: str
    version: str
    file: str
    page: str
    fits: bool = True


def offers(log: str) -> set[Offer]:
    """Return the files that pip found and can take, for whatever platform they are."""
    found = set()
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
        found.add(Offer(name, version, file, tail.partition(")")[0], _OFFERED[0] in head))
    return {each._replace(project=canonicalize_name(each.project)) for each in found}
