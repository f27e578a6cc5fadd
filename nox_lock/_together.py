"""Resolve a whole stack as one, where its layers cannot agree one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock._agreement import find_seed, make_seed
from nox_lock._inputs import Parts
from nox_lock._requirements import Files, read_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_lock._planned import Planned
    from nox_lock._resolution import Compiler
    from nox_lock.lockfile.pins import Pin


def resolve_together(compiler: Compiler, stack: Sequence[Planned]) -> Sequence[Pin]:
    """Return pins that meet all inputs of a stack at once; each of its locks takes its part.

    Raises:
        NoxLockError: where nothing meets them all.
    """
    # What a layer asks of a lock file below is asked of its inputs here.
    texts = dict.fromkeys((each.path for each in stack), "")
    top = stack[-1]
    inputs = read_inputs(
        list(dict.fromkeys(source for each in stack for source in each.inputs.sources)),
        compiler.root,
        compiler.environ,
        Parts(
            tuple(dict.fromkeys(extra for each in stack for extra in each.lock.extras)),
            tuple(dict.fromkeys(group for each in stack for group in each.lock.groups)),
        ),
        Files(compiler.root, texts),
    )
    settings = top.settings._replace(generate_hashes=False, strip_extras=True, allow_unsafe=True)
    lock = top.lock._replace(constraints=())
    whole = top._replace(lock=lock, inputs=inputs, settings=settings, below=())
    pins: dict[str | None, Pin] = {}
    for each in reversed(stack) if not compiler.wishes.upgrade else ():
        pins.update((pin.name, pin) for pin in find_seed(each._replace(below=())).pins)
    seed = make_seed(pin for pin in pins.values() if pin.version)
    compiler.tell(f"{', '.join(texts)}: resolving together")
    compiled = compiler.resolve_once(whole, seed, texts)
    return [pin for pin in compiled.pins if pin.version]
