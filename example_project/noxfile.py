import nox
import nox_lock

PYTHONS = ["3.11", "3.12"]

nox.options.sessions = ["lock-check", "tests", "prod", "staging"]
nox_lock.add_sessions()


@nox_lock.session(python=PYTHONS, lock="dev")
def tests(session):
    """Run the tests against exactly the locked set."""
    session.run("pytest", *session.posargs)


@nox_lock.session(python=PYTHONS, lock="prod")
def prod(session):
    """Serve a page from what production installs, and nothing else."""
    session.run("python", "smoke.py", "shortener")


@nox_lock.session(python=PYTHONS, lock="staging")
def staging(session):
    """The same for staging, which has the debug toolbar."""
    session.run("python", "smoke.py", "shortener.staging")


@nox.session(python=PYTHONS)
def unlocked(session):
    """The time bomb: the same tests without a lock."""
    session.install("-r", "requirements/dev.in")
    session.run("pytest", *session.posargs)
