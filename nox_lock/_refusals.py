"""What stands where a lock file is to be written, and may not be lost for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock._errors import LockFileError

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock._planned import Planned


def refuse(planned: Planned, root: Path, *, overwrite: bool) -> None:
    """Refuse to write a lock file where something else stands, or outside the project.

    Raises:
        LockFileError: saying what, and the ways out.
    """
    _refuse_foreign(planned, overwrite=overwrite)
    if not (root / planned.path).resolve().is_relative_to(root.resolve()):
        raise LockFileError(
            "a link leads out of the project here: nothing is written there",
            file=planned.path,
            hint="Put a file or folder in the place of the link.",
        )


def _refuse_foreign(planned: Planned, *, overwrite: bool) -> None:
    """Refuse to write over a file that is no lock file, or a broken one.

    Raises:
        LockFileError: naming the line that shows it, and the ways out.
    """
    lock = planned.existing
    if overwrite or lock is None or lock.recognised or lock.blank:
        return
    line = lock.problems[0].line if lock.problems else None
    why = lock.problems[0].message if lock.problems else "no header of pip-compile, no stamp"
    if lock.maker or lock.stamp:
        raise LockFileError(
            f"this lock file is broken, and is not overwritten: {why}",
            file=planned.path,
            line=line,
            hint="Mend it (of a conflict, keep either side), or make it anew: "
            "nox -s lock -- --overwrite",
        )
    raise LockFileError(
        f"this is no lock file, and is not overwritten: {why}",
        file=planned.path,
        line=line,
        hint="Is it yours? Give the lock another name: "
        f'[tool.nox-lock.locks.{planned.name}] lockfile = "...". '
        "Else: nox -s lock -- --overwrite",
    )
