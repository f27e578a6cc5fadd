"""Pip's own reader of requirements files, as a process: one JSON question a line, one answer.

Only this script imports pip, and only tests run it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import (
    RequirementsFileParser,
    _decode_req_file,
    get_line_parser,
    handle_requirement_line,
    preprocess,
)

OPTIONS = {
    "index_url": "--index-url",
    "extra_index_urls": "--extra-index-url",
    "no_index": "--no-index",
    "find_links": "--find-links",
    "prefer_binary": "--prefer-binary",
    "require_hashes": "--require-hashes",
    "no_require_hashes": "--no-require-hashes",
    "pre": "--pre",
    "trusted_hosts": "--trusted-host",
}
CONTROLS = {
    "no_binary": "--no-binary",
    "only_binary": "--only-binary",
    "all_releases": "--all-releases",
    "only_final": "--only-final",
}


def options_of(opts: Any) -> list[tuple[str, str]]:
    """Return what an option line sets, as (long name, value), sorted."""
    found = []
    for dest, name in OPTIONS.items():
        value = getattr(opts, dest, None)
        for each in value if isinstance(value, list) else [value]:
            if each is True:
                found.append((name, ""))
            elif each:
                found.append((name, each))
    for control in ("format_control", "release_control"):
        for dest, name in CONTROLS.items():
            found += [(name, each) for each in getattr(getattr(opts, control), dest, ())]
    return sorted(found)


def path_of(file: str, root: Path) -> str:
    return Path(os.path.relpath(file, root)).as_posix()


def url_of(link: Any, root: Path) -> str | None:
    if link is None:
        return None
    if link.scheme == "file":
        path = unquote(urlsplit(link.url).path)
        fragment = urlsplit(link.url).fragment
        return path_of(path, root) + (f"#{fragment}" if fragment else "")
    return str(link.url)


def entry_of(line: Any, root: Path) -> list[Any]:
    parsed = handle_requirement_line(line)
    made = install_req_from_parsed_requirement(parsed)
    specifier = None
    if made.req is not None and made.link is None:
        specifier = sorted(str(made.req.specifier).split(",")) if made.req.specifier else []
    return [
        path_of(line.filename, root),
        line.lineno,
        bool(line.constraint),
        made.editable,
        None if made.req is None else made.req.name,
        sorted(made.extras),
        specifier,
        None if made.markers is None else str(made.markers),
        url_of(made.link, root),
        sorted(
            f"{kind}:{value}"
            for kind, values in (parsed.options or {}).get("hashes", {}).items()
            for value in values
        ),
    ]


def settings_of(line: Any) -> list[str]:
    """Return the options of a requirement that pip obeys, but for its hashes."""
    found = handle_requirement_line(line).options or {}
    return sorted(f"{name}={value}" for name, value in found.items() if name != "hashes")


def read(root: Path, source: str) -> dict[str, Any]:
    """Return entries and options of a file with all it includes, or the error."""
    entries, options, settings = [], [], []
    try:
        parser = RequirementsFileParser(None, get_line_parser(None))
        for line in parser.parse(str(root / source), constraint=False):
            if line.requirement is not None:
                entries.append(entry_of(line, root))
                settings += settings_of(line)
            elif found := options_of(line.opts):
                options.append([path_of(line.filename, root), line.lineno, found])
    except Exception as error:  # noqa: BLE001  (pip ends with whatever it meets)
        return {"error": f"{type(error).__name__}: {error}"}
    return {"entries": entries, "options": options, "settings": settings}


def lines(data: bytes) -> list[tuple[int, str]] | None:
    """Return the logical lines of one file."""
    try:
        return list(preprocess(_decode_req_file(data, "")))
    except (UnicodeError, LookupError):
        return None


def main() -> None:
    logging.disable()
    for question in sys.stdin:
        told = json.loads(question)
        root = Path(told["root"])
        os.chdir(root)
        answer = read(root, told["source"])
        answer["lines"] = lines((root / told["source"]).read_bytes())
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
