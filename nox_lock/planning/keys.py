"""What can be configured: each key and variable, an example, its meaning, its default.

The one list of them: what is read is named here, and the reference of the documentation is made
from it.
"""

from __future__ import annotations

# name, example, meaning, default
Key = tuple[str, str, str, str]

# For all locks, or for one of them.
LOCK_KEYS: tuple[Key, ...] = (
    (
        "python",
        'python = ["3.11", "3.12"]',
        (
            "the Pythons to lock for, or one; several make `requirements-py3.11.txt`. `3.11` means "
            "its newest patch release, `3.11.2` that one"
        ),
        (
            "those of the sessions that use the lock, else the one its lock file names, else "
            "the one that runs nox"
        ),
    ),
    (
        "platforms",
        'platforms = ["linux", "darwin", "win32"]',
        (
            "one lock file for each, made on any machine: `requirements-linux.txt`, ...; also with "
            "a machine, such as `linux-aarch64`, and `musllinux`"
        ),
        "one, for the platform it is made on",
    ),
    (
        "lockfile",
        'lockfile = "locks/{stem}-py{python}.txt"',
        "where lock files are written; also `{name}`, `{platform}`, `{machine}`",
        "beside the first input",
    ),
    (
        "generate-hashes",
        "generate-hashes = true",
        "hashes of every file of every pin",
        "from `[tool.pip-tools]`, else from the existing lock's own command, else `true`",
    ),
    (
        "strip-extras",
        "strip-extras = true",
        "`celery`, not `celery[redis]`, in the lock file",
        "in the same way, else `true`",
    ),
    (
        "allow-unsafe",
        "allow-unsafe = true",
        "pin `pip` and `setuptools`, too",
        "in the same way, else `true`",
    ),
    (
        "unsafe-package",
        'unsafe-package = ["setuptools"]',
        "what counts as unsafe",
        "in the same way, else pip-tools' own list",
    ),
    (
        "uploaded-prior-to",
        'uploaded-prior-to = "2026-11-01"',
        "only releases older than this; as pip's option of that name",
        "none",
    ),
    (
        "manylinux",
        'manylinux = "2.28"',
        "the newest glibc that wheels for a named `linux` may need",
        '`"2.28"`',
    ),
    (
        "macos",
        'macos = "14.0"',
        "the newest macOS that wheels for a named `darwin` may need",
        '`"14.0"`',
    ),
    (
        "build-constraints",
        'build-constraints = ["build-constraints.txt"]',
        "limits on what [builds](../targets.md#builds) use, when locking and in sessions",
        "none",
    ),
    (
        "compile-timeout",
        "compile-timeout = 600",
        "seconds that the compile of a lock file may take",
        "600",
    ),
)
# In `[tool.nox-lock]` alone.
PROJECT_KEYS: tuple[Key, ...] = (
    (
        "on-stale",
        'on-stale = "auto"',
        (
            'a session meets a stale lock file: `"lock"` makes it anew, `"error"` stops, `"auto"` '
            "stops where `CI` is set"
        ),
        '`"auto"`',
    ),
    (
        "locks",
        "[tool.nox-lock.locks.NAME]",
        "a lock with files of its own; a table with any key of all locks, and those below",
        "what is found",
    ),
)
# In the table of one lock alone.
ONE_LOCK_KEYS: tuple[Key, ...] = (
    (
        "inputs",
        'inputs = ["a.in", "b.in"]',
        "its inputs; `pyproject.toml` for the project's dependencies",
        "what is found under this name",
    ),
    ("extras", 'extras = ["cli"]', "extras of the project, too", "none"),
    (
        "groups",
        'groups = ["test"]',
        "dependency groups of `pyproject.toml`, too, or alone without `inputs`",
        "none",
    ),
    (
        "constraints",
        'constraints = ["prod"]',
        "other locks that it must agree with",
        "none",
    ),
)
VARIABLES: tuple[Key, ...] = (
    (
        "NOX_LOCK_CACHE_DIR",
        "NOX_LOCK_CACHE_DIR=.cache/nox-lock",
        "the [cache](../cache.md) folder",
        "the platform's folder for caches",
    ),
    ("NOX_LOCK_ON_STALE", "NOX_LOCK_ON_STALE=error", "as `on-stale`, and before it", "none"),
    (
        "NOX_LOCK_TIMEOUT",
        "NOX_LOCK_TIMEOUT=60",
        (
            "seconds to wait for another process that compiles the same lock, or installs into "
            "the same environment"
        ),
        "600",
    ),
)


def names(*groups: tuple[Key, ...]) -> tuple[str, ...]:
    """Return the names of some keys."""
    return tuple(key[0] for group in groups for key in group)
