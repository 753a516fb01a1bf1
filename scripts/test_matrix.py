"""The wire tests on every supported release of the official client, each in an environment of its own.

Every environment has the project's locked dependencies, with the one package replaced. Built once under
``.venv-matrix/`` and used again while the locks are the same. The table at the end is the answer.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv-matrix"
LOCKS = [ROOT / "requirements" / "runtime.lock", ROOT / "requirements" / "dev.lock"]
CLIENTS_LOCK = ROOT / "requirements" / "clients.lock"  # installed without dependencies: clients.in says why

RELEASES = ["ibapi-stable==10.37.2", "ibapi-stable==10.45.1", "ibapi-stable==10.50.2", "ibapi-latest==10.51.1"]
SERVER_VERSIONS = "176,187,200,203,206,210,213,max"
"""Those a release cannot negotiate are left out by the tests themselves: 10.37.2 ends at 200."""


@dataclass
class Outcome:
    release: str
    summary: str
    seconds: float
    passed: bool


def build(release: str) -> Path:
    """The interpreter of the environment for a release; made anew when a lock has changed."""
    home = ENVIRONMENTS / release.replace("==", "-")
    python = home / "bin" / "python"
    stamp = home / "built-from"
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in [*LOCKS, CLIENTS_LOCK])).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    run([sys.executable, "-m", "venv", "--clear", str(home)])
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = [argument for lock in LOCKS for argument in ("-r", str(lock))]
    run([*install, "--require-hashes", *locked])
    run([*install, "--require-hashes", "--no-deps", "-r", str(CLIENTS_LOCK)])
    run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "--disable-pip-version-check", "ibapi-stable"])
    # Without its dependencies: 10.37.2 pins a protobuf older than the one that is locked, and works with this.
    run([*install, "--no-deps", release])
    run([*install, "--no-deps", "--editable", str(ROOT)])
    stamp.write_text(wanted)
    return python


def test(release: str, python: Path, server_versions: str, arguments: list[str]) -> Outcome:
    started = time.monotonic()
    environment = os.environ | {"TWS_SERVER_VERSIONS": server_versions}
    command = [str(python), "-m", "pytest", "-m", "wire", "-q", "-p", "no:cacheprovider", *arguments]
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = ran.stdout.strip().splitlines()
    if ran.returncode:
        print(ran.stdout)
    summary = re.sub(r" in [\d.]+s.*", "", lines[-1].strip("= ")) if lines else "no output"
    return Outcome(release, summary, time.monotonic() - started, ran.returncode == 0)


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", action="append", choices=RELEASES, help="only this one; may be repeated")
    parser.add_argument("--server-versions", default=SERVER_VERSIONS)
    parser.add_argument("pytest", nargs="*", help="passed on to pytest, after --")
    chosen = parser.parse_args()
    outcomes = []
    for release in chosen.release or RELEASES:
        print(f"{release}: building", flush=True)
        python = build(release)
        print(f"{release}: testing with server versions {chosen.server_versions}", flush=True)
        outcomes.append(test(release, python, chosen.server_versions, chosen.pytest))
    print(f"\n{'release':24} {'seconds':>7}  result")
    for outcome in outcomes:
        print(f"{outcome.release:24} {outcome.seconds:7.0f}  {outcome.summary}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
