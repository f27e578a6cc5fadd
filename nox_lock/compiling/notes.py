"""What a person should know of a lock that was made: what pip only warns of, and who built what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.inputs.pep508 import meets, parse_specifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nox_lock.compiling.interpreters import Interpreter
    from nox_lock.compiling.pip_tools import Order
    from nox_lock.compiling.report import Report
    from nox_lock.lockfile.pins import Pin


def find_notes(
    report: Report, order: Order, pins: Collection[Pin], interpreter: Interpreter
) -> Iterator[str]:
    """Yield the notes on a lock file, each with the place in an input, where there is one."""
    target = order.target
    for _, wanted, where in order.inputs.pythons:
        specifier = parse_specifier(wanted)
        if specifier is not None and not meets(specifier, target.full_version):
            this = target.full_version if target.patch else target
            yield f"the project wants Python {wanted} ({where}), not {this}"
    for name, version, extra in report.extras:
        yield f"{name} {version} does not provide the extra {extra!r}{_place(order, name, extra)}"
    for name, version, reason in report.yanked:
        why = f": {reason}" if reason else ""
        yield f"{name}=={version} was withdrawn (yanked){why}{_place(order, name)}"
    versions = {(pin.name, pin.version) for pin in pins}
    direct = {pin.name for pin in pins if pin.version is None}
    built = dict.fromkeys(
        f"{name}=={version}"
        for name, version in report.built
        if (name, version) in versions or name in direct or None in direct
    )
    what = [*built, *report.built_projects]
    if what and interpreter.foreign:
        system = f" on {order.system}" if order.system else ""
        yield (
            f"only a build says what these depend on, and {interpreter.builder} built them, "
            f"not Python {order.target}{system}: {', '.join(what)}"
        )


def _place(order: Order, name: str, extra: str = "") -> str:
    for entry in order.inputs.requirements:
        if entry.name == name and (not extra or extra in entry.extras):
            return f" ({entry.place})"
    return ""
