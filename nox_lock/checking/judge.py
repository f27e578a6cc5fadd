"""Judge a lock file: is it what its inputs require? Pure: no process, no write, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nox_lock.checking import content
from nox_lock.checking.verdict import FRESH, INVALID, MISSING, ORPHANED, STALE, Judged, Verdict, cut
from nox_lock.errors import Place, Reason
from nox_lock.inputs.syntax import FORMATS, INDEXES, MERGE
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.planning.lock_plan import AnyPlan, LockPlan, PylockPlan
from nox_lock.target import PLATFORMS, counts, running_platform

LOOKALIKE = "pip would take what is here for what a URL names: rename or delete it"
_NO_HASHES = "it has no hashes"


def judge(planned: AnyPlan) -> Verdict:
    """Judge a lock file by its content, or a pylock.

    What content cannot decide (extras that were stripped, a marker inside X.Y) goes by who
    changed what: the body as stamped and the inputs not, then it is stale; else a bot rewrote
    the body, and it is fresh, with a note.
    """
    if isinstance(planned, PylockPlan):
        from nox_lock.checking.pylock import judge_pylock  # noqa: PLC0415  (few have one)

        return judge_pylock(planned)
    lock = planned.current
    if lock is None:
        return Verdict(MISSING, (Reason("there is no lock file", planned.at()),))
    lookalikes = (Reason(LOOKALIKE, Place(each)) for each in planned.lookalikes)
    problems = (Reason(each.text, planned.at(each.number)) for each in lock.problems)
    if found := cut([*lookalikes, *problems]):
        return Verdict(INVALID, found)
    if lock.includes:
        return Verdict(STALE, cut(_find_includes(planned, lock)))
    faults = list(content.find_faults(planned, lock))
    warnings: Iterable[Reason] = ()
    if missing := planned.inputs.missing:
        said = "without it nobody knows what the pins are for, and whose the options are"
        others = [Reason(f"there is no {file}: {said}", planned.at()) for file in sorted(missing)]
    else:
        coverage = content.Coverage(planned, lock)
        others = list(coverage.find_unmet())
        if planned.inputs.judgeable:
            faults += coverage.find_unrequested_urls()
            others += (*coverage.find_other_markers(), *coverage.find_unreached())
        others += _find_other_options(planned, lock)
        others += _find_other_settings(planned, lock)
        if planned.below or planned.inputs.pending:
            others += _find_other_layers(planned)
        warnings = content.find_warnings(planned, lock)
    if reasons := cut([*faults, *_find_other_target(planned, lock), *others]):
        return Verdict(INVALID if faults else STALE, reasons, warnings=cut(warnings))
    note = "" if lock.as_stamped else "changed since it was stamped"
    if lock.stamp is None:
        note = f"no stamp: made by {lock.maker or 'another tool'}"
    return Verdict(FRESH, (), (note,) if note else (), cut(warnings))


def judge_all(planned: Iterable[AnyPlan], orphans: Iterable[str] = ()) -> list[Judged]:
    """Judge lock files, and behind them the paths of orphaned ones."""
    judged = [Judged(each.path, judge(each), each) for each in planned]
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
    """Return why `lock` does not replace a file unasked: somebody may have written it by hand."""
    if isinstance(planned, PylockPlan):
        ours = not planned.text.strip() or lock_file.MARK.search(planned.text)
        return [] if ours else [Reason("nox-lock has not made it", planned.at())]
    lock = planned.current
    if lock is None:
        return []
    problems = [Reason(each.text, planned.at(each.number)) for each in lock.problems]
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


def _find_includes(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    for line in lock.includes:
        yield Reason(f"includes {line.text[3:]}; lock files are whole", planned.at(line.number))


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
    for text, number in lock.options:
        if text not in wanted:
            yield Reason(f"no input declares {text}", planned.at(number))
    for names in (INDEXES, FORMATS) if set(has) == wanted.keys() else ():
        if [x for x in wanted if x.startswith(names)] != [x for x in has if x.startswith(names)]:
            said = "its options are in another order, or one is there once more"
            yield Reason(said, planned.at(lock.options[0].number))


def _find_other_settings(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield the settings it was not made with: as its pins show, else as its stamp says."""
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
    if lock.stamp is None or not lock.as_stamped:  # a bot may have rewritten it for these
        return
    facts, stamped = planned.hidden, lock.stamp.hidden
    new = [reason for digest, reason in facts.items() if digest not in stamped]
    yield from new
    if len(stamped - facts.keys()) > len(new):
        gone = "extras, an option, a setting or a marker it was locked with are gone or changed"
        yield Reason(gone, planned.at())


def _find_other_layers(planned: LockPlan) -> Iterator[Reason]:
    """Yield the lock files below that are missing or broken, and the pins that differ from them."""
    there = {low.path for low in planned.below if low.current}
    for file in sorted(planned.inputs.pending):
        named = (each.place for each in planned.inputs.includes if each.value == file)
        fault = "broken" if file in there else "not there"
        yield Reason(f"it builds on {file}, which is {fault}", next(named, planned.at()))
    for low, theirs, ours in disagreements(planned):
        said = f"{ours.shown}, but {theirs.shown} in {low.path}, which it builds on"
        yield Reason(said, planned.at(ours.line))


def disagreements(planned: LockPlan) -> Iterator[tuple[LockPlan, Pin, Pin]]:
    """Yield each pin in which a lock differs from one it builds on: that one, its pin, ours."""
    target, platform = planned.target, planned.platform
    ours: dict[str | None, list[Pin]] = {}
    for pin in planned.pins:
        if pin.name and counts(pin.marker, target, platform):
            ours.setdefault(pin.name, []).append(pin)
    for low in planned.below:
        for pin in low.pins:
            for own in ours.get(pin.name, ()):
                same = pin.url and content.canonical_url(pin) == content.canonical_url(own)
                if not same and own.shown != pin.shown and counts(pin.marker, target, platform):
                    yield low, pin, own
