"""The files of the repository, as git knows them (or, outside a checkout, as they lie there)."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*suffixes):
    """Paths of all files that are tracked, or new and not ignored; only those with these suffixes, if any."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True)
    if listed.returncode == 0:
        names = filter(None, listed.stdout.split("\0"))
    else:
        names = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*"))
        names = (name for name in names if name != ".git" and not name.startswith(("build/", ".git/")))
    paths = (ROOT / name for name in sorted(set(names)))
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]
