"""Judge a lock file: is it what its inputs require? Pure: no process, no write, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.checking import content
from nox_lock.checking.verdict import FRESH, INVALID, MISSING, ORPHANED, STALE, Judged, Verdict, cut
from nox_lock.errors import Place, Reason
from nox_lock.inputs.syntax import MERGE
from nox_lock.planning.lock_plan import LockPlan, PylockPlan
from nox_lock.target import PLATFORMS, counts, running_platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock.lockfile.lock_file import LockFile, Pin
    from nox_lock.planning.lock_plan import AnyPlan

LOOKALIKE = "pip would take what is here for what a URL names: rename or delete it"
_NO_HASHES = "it has no hashes"
# Options of which a later one may take an earlier one back.
_ORDERED = {
    "indexes": ("--index-url", "--extra-index-url", "--find-links"),
    "formats": ("--no-binary", "--only-binary"),
}


def judge(planned: LockPlan) -> Verdict:
    """Judge one lock file by its content.

    What content cannot decide (extras that were stripped, a marker inside X.Y) goes by who
    changed what: the body as stamped and the inputs not, then it is stale; else a bot rewrote
    the body, and it is fresh, with a note.
    """
    lock = planned.current
    if lock is None:
        return Verdict(MISSING, (Reason("there is no lock file", planned.at()),))
    if planned.lookalikes:
        lookalikes = tuple(Reason(LOOKALIKE, Place(each)) for each in planned.lookalikes)
        return Verdict(INVALID, lookalikes)
    if lock.problems:
        return Verdict(INVALID, cut(find_problems(planned, lock)))
    if lock.includes:
        return Verdict(STALE, cut(_find_includes(planned, lock)))
    if planned.inputs.missing:
        return _judge_alone(planned, lock)
    coverage = content.Coverage(planned, lock)
    faults = [*content.find_faults(planned, lock), *coverage.find_unrequested_urls()]
    reasons = [
        *faults,
        *_find_other_target(planned, lock),
        *coverage.find_unmet(),
        *coverage.find_other_markers(),
        *coverage.find_unreached(),
        *_find_other_options(planned, lock),
        *_find_other_settings(planned, lock),
        *_find_other_layers(planned),
    ]
    notes = []
    if lock.stamp is None:
        notes.append(f"no stamp: made by {lock.maker or 'another tool'}")
    elif not lock.as_stamped:
        notes.append("changed since it was stamped")
    else:
        reasons += _find_other_facts(planned, lock.stamp.hidden)
    return Verdict(
        (INVALID if faults else STALE) if reasons else FRESH,
        cut(reasons),
        () if reasons else tuple(notes),
        cut(content.find_warnings(planned, lock)),
    )


def _judge_alone(planned: LockPlan, lock: LockFile) -> Verdict:
    """Judge a lock file without all its inputs."""
    faults = list(content.find_faults(planned, lock))
    unproven = "without it nobody knows what the pins are for, and whose the options are"
    missing = (f"there is no {file}: {unproven}" for file in planned.inputs.missing)
    reasons = [
        *faults,
        *(Reason(each, planned.at()) for each in missing),
        *_find_other_target(planned, lock),
    ]
    return Verdict(INVALID if faults else STALE, cut(reasons))


def judge_any(planned: AnyPlan) -> Verdict:
    """Judge a lock file or a pylock."""
    if isinstance(planned, LockPlan):
        return judge(planned)
    from nox_lock.checking.expected_pylock import judge_pylock  # noqa: PLC0415  (few projects have one)

    return judge_pylock(planned)


def judge_all(planned: Iterable[AnyPlan], orphans: Iterable[str] = ()) -> list[Judged]:
    """Judge lock files, and behind them the paths of orphaned ones."""
    judged = [Judged(each.path, judge_any(each), each) for each in planned]
    for path in orphans:
        other = "say `pylock = true`" if path.endswith(".toml") else "name it by `lockfile`"
        reason = f"no lock produces this file any more: git rm {path}, or {other}"
        judged.append(Judged(path, Verdict(ORPHANED, (Reason(reason, Place(path)),))))
    return judged


def lacks_hashes_alone(verdict: Verdict) -> bool:
    """Return whether nothing but hashes is missing: no session locks for that."""
    reasons = verdict.reasons
    return bool(reasons) and all(each.message.startswith(_NO_HASHES) for each in reasons)


def find_obstacles(planned: AnyPlan) -> list[Reason]:
    """Return why `lock` does not replace a file unasked, a line each.

    These are merge conflicts; and in a file that no known tool has signed, all that is no pin for
    the inputs: somebody may have written it by hand.
    """
    if isinstance(planned, PylockPlan):
        return [] if planned.is_ours else [Reason("nox-lock has not made it", planned.at())]
    lock = planned.current
    if lock is None:
        return []
    problems = list(find_problems(planned, lock))
    conflicts = [each for each in problems if each.message == MERGE]
    if conflicts or lock.maker or lock.stamp:
        return conflicts
    if not (lock.pins or lock.options or lock.includes or problems):
        return []
    if not planned.inputs.judgeable:
        return [Reason("what its inputs require is known only after a build", planned.at())]
    coverage = content.Coverage(planned, lock)
    return [
        *problems,
        *content.find_repeated(planned, lock),
        *_find_includes(planned, lock),
        *coverage.find_unrequested_urls(),
        *coverage.find_unreached(),
    ]


def find_problems(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield the lines of a lock file that two readers may read differently, or none can."""
    return (Reason(each.text, planned.at(each.number)) for each in lock.problems)


def _find_includes(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    for line in lock.includes:
        said = f"includes {line.text[len('-r ') :]}; lock files are whole"
        yield Reason(said, planned.at(line.number))


def _find_other_target(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    target, platform = planned.target, str(planned.platform)
    made = lock.stamp.platform if lock.stamp else platform
    if planned.system and made != platform:
        yield Reason(f"made for {made}, wanted for {platform}", planned.at())
    if lock.python not in {None, target.version}:
        yield Reason(f"made for Python {lock.python}, wanted for Python {target}", planned.at())
    # A session may run on another patch release, or processor, than the one that is judged.
    machines = {*PLATFORMS.get(planned.system, ()), planned.platform.machine}
    if planned.system in PLATFORMS:
        machines |= {running_platform().machine, "another"}
    for pin in lock.pins:
        if counts(pin.marker, target, planned.platform):
            continue
        others = (planned.platform._replace(machine=each) for each in machines)
        if any(counts(pin.marker, target._replace(patch=""), each) for each in others):
            said = "counts for other patch releases or processors alone"
            yield Reason(f"{pin.shown} {said}: {pin.marker}", planned.at(pin.line))


def _find_other_options(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    wanted, has = planned.options, [option.text for option in lock.options]
    for line, where in wanted.items():
        if line not in has:
            yield Reason(f"{line} is not in the lock", where)
    yield from find_undeclared(planned, lock)
    seen: set[str] = set()
    for option in lock.options:
        if option.text in seen:
            yield Reason(f"{option.text} is there once more", planned.at(option.number))
        seen.add(option.text)
    if seen == set(wanted):
        for kind, names in _ORDERED.items():
            ordered = [[x for x in lines if x.startswith(names)] for lines in (wanted, has)]
            if ordered[0] != ordered[1]:
                said = f"the {kind} are in another order"
                yield Reason(said, planned.at(lock.options[0].number))


def find_undeclared(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield the option lines of a lock file that no input declares."""
    wanted = planned.options
    for option in lock.options:
        if option.text not in wanted:
            yield Reason(f"no input declares {option.text}", planned.at(option.number))


def _find_other_settings(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    settings = planned.settings
    if lock.hashed and not settings.generate_hashes:
        yield Reason("it has hashes, and generate-hashes is false", planned.at())
    bare = settings.generate_hashes and not lock.hashed
    if bare and not all(pin.unhashable for pin in lock.pins):
        configured = planned.lock.settings.generate_hashes
        who = "generate-hashes is true" if configured else "others of this project have"
        yield Reason(f"{_NO_HASHES}, and {who}", planned.at())
    for pin in lock.pins:
        if pin.extras and settings.strip_extras:
            yield Reason(f"{pin.shown} has extras, and strip-extras is true", planned.at(pin.line))
        if not settings.allow_unsafe and pin.name in (settings.unsafe_packages or ()):
            yield Reason(f"{pin.shown} is pinned, and allow-unsafe is false", planned.at(pin.line))
    for name in sorted(lock.unsafe) if settings.allow_unsafe else ():
        yield Reason(f"{name} is not pinned, and allow-unsafe is true", planned.at())


def _find_other_layers(planned: LockPlan) -> Iterator[Reason]:
    """Yield the lock files below that are missing or broken, and the pins that differ from them."""
    there = {low.path for low in planned.below if low.current}
    for file in planned.inputs.pending:
        named = (each.place for each in planned.inputs.includes if each.value == file)
        why = "broken" if file in there else "not there"
        said = f"it builds on {file}, which is {why}"
        yield Reason(said, next(named, planned.at()))
    for low, theirs, ours in disagreements(planned):
        said = f"{ours.shown}, but {theirs.shown} in {low.path}, which it builds on"
        yield Reason(said, planned.at(ours.line))


def disagreements(planned: LockPlan) -> Iterator[tuple[LockPlan, Pin, Pin]]:
    """Yield each pin in which a lock differs from one it builds on: that one, its pin, ours."""

    def counting(pins: Iterable[Pin]) -> Iterator[Pin]:
        return (p for p in pins if p.name and counts(p.marker, planned.target, planned.platform))

    ours: dict[str | None, list[Pin]] = {}
    for pin in counting(planned.pins if planned.below else ()):
        ours.setdefault(pin.name, []).append(pin)
    for low in planned.below:
        for pin in counting(low.pins):
            for own in ours.get(pin.name, ()):
                same_url = (
                    pin.url and own.url and content.canonical_url(pin) == content.canonical_url(own)
                )
                if own.shown != pin.shown and not same_url:
                    yield low, pin, own


def _find_other_facts(planned: LockPlan, stamped: frozenset[str]) -> Iterator[Reason]:
    """Yield what the body cannot show and differs from what it was locked for."""
    facts = planned.hidden
    for digest, fact in facts.items():
        if digest not in stamped:
            yield Reason(f"it was locked without {fact.text}", fact.place or planned.at())
    changed = set(facts) - stamped
    if len(stamped - set(facts)) > len(changed):
        gone = "extras, an option, a setting or a marker it was locked with are gone or changed"
        yield Reason(gone, planned.at())
