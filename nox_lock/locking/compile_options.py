"""What a person wants of a run that locks."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.requirements import Requirement


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """The options of a run that locks, as the command line has them."""

    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    use_cache: bool = True
    overwrite: bool = False
    together: bool = False
    refresh: bool = False
    dry_run: bool = False

    @property
    def cacheable(self) -> bool:
        """Whether the answer may be another's: a limit of the command line is in no input."""
        return self.use_cache and not any(
            Requirement(package).specifier for package in self.upgrade_packages
        )
