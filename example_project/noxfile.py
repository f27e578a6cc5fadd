import nox
import nox_lock

nox.options.sessions = ["lock-check", "tests"]
nox_lock.add_sessions()


@nox_lock.session(lock=["requirements", "dev"])
def tests(session):
    """Run the tests against exactly the locked set."""
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def unlocked(session):
    """The time bomb: the same tests without a lock."""
    session.install("-r", "requirements.in", "-r", "requirements-dev.in")
    session.run("pytest", *session.posargs)
