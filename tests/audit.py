"""Audit of the installed packages: compatible, and without known vulnerabilities.

`make audit` asks pip, then pip-audit in an environment of its own. Exits with 1 for what they find;
where the audit could not be done, one line says so.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path("build/audit")


def main() -> int:
    """Check, then audit."""
    fits = subprocess.run([sys.executable, "-m", "pip", "check"]).returncode == 0
    packages = _audited()
    if isinstance(packages, str):
        print(f"audit: could not be done: {packages}")
        return int(not fits)
    known = [package for package in packages if "skip_reason" not in package]
    found = [(package, each) for package in known for each in package["vulns"]]
    for package, each in found:
        fixed = ", ".join(each["fix_versions"]) or "no version"
        print(f"audit: {package['name']} {package['version']}: {each['id']}; fixed in {fixed}")
    if len(known) < len(packages):
        print(f"audit: the index tells nothing of {len(packages) - len(known)} packages")
    print(f"audit: {len(found)} known vulnerabilities in {len(known)} packages")
    return int(bool(found) or not fits)


def _audited() -> list[dict] | str:
    """Result of pip-audit for every package, or the reason why there is none."""
    venv.create(FOLDER, with_pip=True)
    program, listed = FOLDER / "bin" / "pip-audit", FOLDER / "packages.txt"
    made = _run(FOLDER / "bin" / "pip", "install", "--quiet", "--retries=1", "pip-audit")
    if made.returncode != 0:
        return "pip-audit cannot be installed from the package index"
    words = ("-m", "pip", "list", "--format=freeze", "--exclude-editable")
    listed.write_text(_run(sys.executable, *words).stdout)
    flags = ("--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json")
    done = _run(program, "--requirement", listed, *flags)
    try:
        packages: list[dict] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return next(iter(reversed(done.stderr.strip().splitlines())), "pip-audit said nothing")
    if all("skip_reason" in package for package in packages):
        return f"the package index tells nothing of vulnerabilities ({len(packages)} packages)"
    return packages


def _run(program: str | Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
