import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session: nox.Session) -> None:
    """Everything but the slow tests; more arguments go to pytest."""
    session.install("-r", "requirements-dev.txt")
    session.run("pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take minutes."""
    session.install("-r", "requirements-dev.txt")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def minimums(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml promises."""
    constraints = session.run("python", ".ci/minimums.py", silent=True)
    path = session.create_tmp() + "/lowest.txt"
    with open(path, "w", encoding="utf-8") as file:
        file.write(constraints)
    session.install("-r", "requirements-dev.txt", "-c", path)
    session.run("pytest", "tests", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    if session.virtualenv.is_sandboxed:
        session.install("-r", "requirements-dev.txt")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "calozoo")
