"""Run anything of this checkout with one command: `python3 dev.py serve`, `python3 dev.py
test`, `python3 dev.py --help`.

Needs a Python of 3.11 or later and nothing else. Makes `.venv` and installs the hash-locked
list into it, again only when that list has changed, then becomes the command, so that signals
reach it. Standard library only.
"""

# Size: one file that needs nothing beside it, so that it runs before anything is installed.
import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- said before anything that an older Python does not understand
    sys.exit("dev.py needs Python 3.11 or later; this is {}.{}.".format(*sys.version_info[:2]))
if sys.platform == "win32":
    sys.exit("dev.py needs Linux or macOS: use WSL, or the Dockerfile.")

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONSOLE = VENV / "bin" / "pyairbyte-telemetry"
STAMP = VENV / "installed-lock"
UV_FOLDER = ROOT / ".venv-uv"
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
UV_LOCK = ROOT / "requirements-uv.lock"
LOCKS = (RUNTIME_LOCK, DEV_LOCK, UV_LOCK)
# The guard is for the workers of `serve`: each imports this script as its main module.
CONSOLE_TEXT = (
    "#!/bin/sh\n"
    # The shell reads a command, Python a string: an interpreter line could not hold every path.
    f"""'''exec' "{PYTHON}" "$0" "$@"\n' '''\n"""
    'import sys\n\nfrom app.cli import main\n\nif __name__ == "__main__":\n    sys.exit(main())\n'
)
# Imported straight from the checkout; what is written to site-packages only points here.
SOURCES = (ROOT, ROOT / "client" / "src")
# An image of others, by a tag, with the digest that was written before or without.
IMAGE = re.compile(
    r"^(?P<before>\s*image:\s+|ARG \w+_IMAGE=)(?P<image>[\w./-]+:[\w.-]+)(?:@sha256:[0-9a-f]{64})?$",
    re.MULTILINE,
)
USAGE = """Usage: python3 dev.py VERB [ARGUMENTS]

  serve             run the service, with an embedded Postgres unless TELEMETRY_DATABASE_URL names one
  test [PYTEST …]   run the tests, without arguments in several processes
  test --fast [PYTEST …]  run those that start no Postgres, no service and no installation
  check             format, lint, types, import directions, migrations, locks
  format            format and fix what can be fixed
  bench NAME        run benchmarks/NAME.py
  e2e [PYTEST …]    run the tests that install released PyAirbyte versions, or drive a browser
  faults [--minutes N]  kill and stop things under load for a while
  siege [--minutes N]  attack a service in all known ways beside an honest load
  fuzz [--bodies N]  send mutated bodies to a real service
  parquet           install what reports as Parquet need (100 MB)
  build             build the wheels of service and client into build/wheels
  docs              build the site of docs/ into build/docs
  pin               write the digests of the images into Dockerfile and compose files (asks by docker)
  lock [--upgrade]  resolve the requirements anew
  VERB …            any other verb goes to the CLI: report, demo, keys, import, doctor …
"""


def main(arguments: list[str]) -> None:
    """Do what the first argument says."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return
    verb, *rest = arguments
    try:
        if verb in VERBS:
            VERBS[verb](rest)
        else:
            run_cli(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(f"dev.py: `{' '.join(map(str, error.cmd))}` failed; its messages are above.")
    except PermissionError as error:
        sys.exit(f"dev.py: no permission for {error.filename}; does this checkout belong to another user?")


# --- the environment
# -------------------------------------------------------------------------------------------------


def ensure_environment(*, dev: bool) -> None:
    """Have `.venv` hold what the lock lists; quick when it does already. `dev` asks
    for the tools and tests, too."""
    if not is_installed(dev=dev):
        with locked(UV_FOLDER):
            if not is_installed(dev=dev):  # else another dev.py did it while we waited
                install_environment(dev=dev)
    write_console()


def install_environment(*, dev: bool) -> None:
    """Install what the lock lists and link the checkout."""
    # Keeps the tools where they were installed before: `serve` after `test` takes nothing away.
    lock = DEV_LOCK if dev or read_stamp().startswith(DEV_LOCK.name) else RUNTIME_LOCK
    STAMP.unlink(missing_ok=True)
    say(f"Installing {lock.name} into {VENV} …")
    install(lock)
    link_checkout()
    compile_imports()
    STAMP.write_text(stamp(lock))


def is_installed(*, dev: bool) -> bool:
    """Return whether `.venv` works and is up to date; the development list contains the runtime list."""
    wanted = [stamp(DEV_LOCK)] if dev else [stamp(DEV_LOCK), stamp(RUNTIME_LOCK)]
    return os.access(PYTHON, os.X_OK) and read_stamp() in wanted


def read_stamp() -> str:
    """Return what the last complete installation left."""
    return STAMP.read_text() if STAMP.is_file() else ""


def stamp(lock: Path) -> str:
    """Names a lock and this folder: a checkout that was moved has a `.venv` that points elsewhere."""
    return f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()} {ROOT}\n"


def install(lock: Path) -> None:
    """Make `.venv` if it is not there or broken, and install the lock; with uv, else with pip."""
    moved = CONSOLE.is_file() and str(PYTHON) not in CONSOLE.read_text()
    broken = moved or not os.access(PYTHON, os.X_OK)
    uv = find_uv()
    if uv:
        if broken:
            run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV])
        run([uv, "pip", "sync", "--require-hashes", "--python", PYTHON, lock])
        return
    say("uv cannot be had here; pip does the same, more slowly.")
    pip: list[str | Path] = (
        [sys.executable, "-m", "pip", "--python", PYTHON] if has("pip") else [PYTHON, "-m", "pip"]
    )
    if not has("pip") and not has("ensurepip"):
        sys.exit(
            "dev.py: this Python has neither pip nor ensurepip. Install one (Debian: python3-pip), or uv."
        )
    if broken:
        venv.create(VENV, clear=True, symlinks=True, with_pip=not has("pip"))
    run([*pip, "install", "--quiet", "--no-compile", "--require-hashes", "-r", lock])


def has(module: str) -> bool:
    """Return whether this Python comes with a module; distributions leave some out."""
    return importlib.util.find_spec(module) is not None


def find_uv() -> str | None:
    """Return the uv of our own folder, fetched by this Python's pip if need be, else
    the one on PATH, else None."""
    uv = UV_FOLDER / "bin" / "uv"
    if not os.access(uv, os.X_OK):
        say("Fetching uv …")
        fetch = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--upgrade",
        ]
        quiet = {"PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore"}
        subprocess.run(
            [*fetch, "--require-hashes", "--target", UV_FOLDER, "-r", UV_LOCK],
            check=False,
            env=os.environ | quiet,
            stderr=subprocess.DEVNULL,
        )
    return str(uv) if os.access(uv, os.X_OK) else shutil.which("uv")


def link_checkout() -> None:
    """Put the checkout on the path of `.venv`: an editable install without a build."""
    [site_packages] = VENV.glob("lib/python3*/site-packages")
    (site_packages / "pyairbyte_telemetry_checkout.pth").write_text("".join(f"{path}\n" for path in SOURCES))


def compile_imports() -> None:
    """Have the bytecode of what commands import written once, whatever the environment says
    of it: where nothing may write it, every single start took three times as long."""
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    every_command = "import app.main; from app.cli import load_all; load_all()"
    # A command that cannot be imported says so itself.
    nowhere = subprocess.DEVNULL
    subprocess.run([PYTHON, "-c", every_command], check=False, env=quiet, stdout=nowhere, stderr=nowhere)


def write_console() -> None:
    """Write the console script where it is missing or an older dev.py's; another process
    sees the old or the new one."""
    if CONSOLE.is_file() and CONSOLE.read_text() == CONSOLE_TEXT and os.access(CONSOLE, os.X_OK):
        return
    written = CONSOLE.with_name(f"{CONSOLE.name}.{os.getpid()}")
    written.write_text(CONSOLE_TEXT)
    written.chmod(0o755)
    written.replace(CONSOLE)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one dev.py at a time through."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: list[str | Path]) -> None:
    """Run a step of the installation; its messages go to standard error, its standard
    output is not the command's."""
    settings = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ | settings)


def say(text: str) -> None:
    """Report progress, apart from the command's output."""
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def become(command: list[str | Path]) -> None:
    """Turn this process into the command: same pid, so that signals and the exit
    code are the command's own."""
    sys.stdout.flush()
    os.execv(command[0], [str(part) for part in command])


# --- the verbs
# -------------------------------------------------------------------------------------------------------


def run_cli(arguments: list[str]) -> None:
    """Run the service's command line in the folder that we were called in."""
    ensure_environment(dev=False)
    os.environ["PYAIRBYTE_TELEMETRY_CALLED_AS"] = f"python3 {Path(sys.argv[0])}"
    become([PYTHON, CONSOLE, *arguments])


def run_module(module: str, *fixed: str) -> Callable[[list[str]], None]:
    """Return a verb that runs a module of the development environment in the checkout."""

    def verb(arguments: list[str]) -> None:
        ensure_environment(dev=True)
        os.chdir(ROOT)
        become([PYTHON, "-m", module, *fixed, *arguments])

    return verb


def test(arguments: list[str]) -> None:
    """Run the tests; with --fast those that start nothing. What is not narrowed
    down runs in one process more than there are cores: many tests wait."""
    fast = "--fast" in arguments
    rest = [argument for argument in arguments if argument != "--fast"]
    # A cluster that CITUS_DSN names is one for the whole run; every process makes itself a Postgres.
    spread = (
        []
        if rest or "CITUS_DSN" in os.environ
        else ["-n", str(min(4, (os.cpu_count() or 1) + 1)), "--dist", "worksteal"]
    )
    run_module("pytest", "-m", "not e2e and not slow" if fast else "not e2e", *spread)(rest)


def bench(arguments: list[str]) -> None:
    """Run one benchmark, or list them."""
    if not arguments:
        names = [path.stem for path in sorted((ROOT / "benchmarks").glob("[!_]*.py"))]
        sys.exit(f"dev.py bench NAME: {' '.join(names)}")
    name, *rest = arguments
    run_module(f"benchmarks.{name}")(rest)


def install_parquet(_: list[str]) -> None:
    """Install pyarrow as the development lock has it; `.parquet` answers 501 without."""
    ensure_environment(dev=False)
    [pinned] = re.findall(r"^pyarrow==.*?(?=^\S|\Z)", DEV_LOCK.read_text(), re.MULTILINE | re.DOTALL)
    with locked(UV_FOLDER):
        uv = find_uv()
    wanted = UV_FOLDER / "parquet.txt"
    wanted.write_text(pinned)
    pip: list[str | Path] = (
        [uv, "pip", "install", "--python", PYTHON] if uv else [PYTHON, "-m", "pip", "install", "--quiet"]
    )
    run([*pip, "--require-hashes", "-r", wanted])
    print("Reports can be read as Parquet; restart `serve` if it runs.")


def format_code(_: list[str]) -> None:
    """Fix what ruff can fix, then format."""
    ensure_environment(dev=True)
    run([PYTHON, "-m", "ruff", "check", "--fix-only", ROOT])
    run([PYTHON, "-m", "ruff", "format", ROOT])


def build_wheels(_: list[str]) -> None:
    """Build a wheel of the service, to be run by pipx or uvx in an environment of its
    own, and one of the client."""
    ensure_environment(dev=True)
    target = ROOT / "build" / "wheels"
    for source in (ROOT, ROOT / "client"):
        command: list[str | Path] = [
            PYTHON,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            target,
        ]
        subprocess.run(command, check=True, stdout=sys.stderr, cwd=source)
    for wheel in sorted(target.glob("*.whl")):
        print(wheel)


def build_docs(_: list[str]) -> None:
    """Build the docs site; a page that no other leads to, or a broken link between pages, is an error."""
    ensure_environment(dev=True)
    target = ROOT / "build" / "docs"
    run([VENV / "bin" / "sphinx-build", "-q", "-W", "--keep-going", "-b", "html", ROOT / "docs", target])
    print(f"The site is in {target}: open {target / 'index.html'}.")


def pin_images(_: list[str]) -> None:
    """Write behind each image of Dockerfile and compose files the digest that its name has now, by which
    every build and start takes the very same image."""
    digests: dict[str, str] = {}

    def pin(found: re.Match[str]) -> str:
        image = found["image"]
        if image not in digests:
            command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
            digests[image] = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True
            ).stdout.strip()
            if not re.fullmatch("sha256:[0-9a-f]{64}", digests[image]):
                sys.exit(f"dev.py: docker says no digest of {image}.")
        return f"{found['before']}{image}@{digests[image]}"

    if not shutil.which("docker"):
        sys.exit("dev.py pin needs docker with buildx: it asks the registries for the digests.")
    pinned = {file: IMAGE.sub(pin, file.read_text()) for file in find_images()}
    for file, text in pinned.items():  # once all are known: half of them would be worse than none
        file.write_text(text)
    for image, digest in digests.items():
        print(f"{image}@{digest}")


def find_images() -> list[Path]:
    """Return the files that name images of others."""
    return [ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted((ROOT / "deploy").glob("compose.*.yaml"))]


def lock_requirements(arguments: list[str]) -> None:
    """Resolve `pyproject.toml` anew into the locks; `--upgrade` and others go to uv."""
    with locked(UV_FOLDER):
        uv = find_uv()
    if not uv:
        sys.exit("dev.py lock needs uv, which could not be fetched.")
    os.chdir(ROOT)
    compile_lock = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--python-version",
        "3.11",
    ]
    compile_lock += ["--no-annotate", "--no-header", *arguments]
    run([*compile_lock, "pyproject.toml", "-o", RUNTIME_LOCK])
    run([*compile_lock, "pyproject.toml", "--group", "dev", "-c", RUNTIME_LOCK, "-o", DEV_LOCK])
    UV_FOLDER.joinpath("uv.in").write_text("uv\n")
    run([*compile_lock, UV_FOLDER / "uv.in", "-o", UV_LOCK])


# Each is a program of `.venv` and its arguments, run in the checkout; a new check is one more line.
CHECKS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "import directions": ["lint-imports"],
    "migrations": ["pytest", "--quiet", "tests/test_drift.py"],
    "docs": ["python", "docs/build.py", "--check"],
    "docs site": ["sphinx-build", "-q", "-W", "--keep-going", "-b", "html", "docs", "build/docs"],
    "sizes": ["pytest", "--quiet", "tests/test_sizes.py"],
    "locks": ["pytest", "--quiet", "tests/test_launcher.py", "-k", "lock_names_no_host"],
}


def check(_: list[str]) -> None:
    """Run every check, even after one has failed, and say which failed."""
    ensure_environment(dev=True)
    failed = []
    for name, command in CHECKS.items():
        print(f"\n== {name}", flush=True)
        program, *arguments = command
        if subprocess.run([VENV / "bin" / program, *arguments], cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    print(f"\n{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed.")
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


VERBS: dict[str, Callable[[list[str]], None]] = {
    "test": test,
    "e2e": run_module("pytest", "-m", "e2e or browser"),
    "faults": run_module("tests.faults"),
    "siege": run_module("tests.siege"),
    "fuzz": run_module("tests.faults.fuzz"),
    "bench": bench,
    "check": check,
    "build": build_wheels,
    "docs": build_docs,
    "format": format_code,
    "parquet": install_parquet,
    "pin": pin_images,
    "lock": lock_requirements,
}

if __name__ == "__main__":
    main(sys.argv[1:])
