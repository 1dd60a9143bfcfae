"""What is to be done to the files before and after a release, so that a maintainer only has to press the button.

``python scripts/release.py prepare 0.2.0`` (``make release VERSION=0.2.0``) writes the version and the date into all
files that name them. After the commit has passed its checks on GitHub, "Publish release" with the tag ``v0.2.0`` starts
.github/workflows/release.yml, which tests, builds, signs and uploads; and runs
``python scripts/release.py recipe dist/napari_rsmoe-0.2.0.tar.gz recipe.yaml`` for conda-forge: the recipe with the
hash of the source distribution, which is known only then.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
PLACES = {
    "pyproject.toml": (r'^version = ".*"$', 'version = "{version}"'),
    "CITATION.cff": (r"^version: .*\n(date-released: .*\n)?", "version: {version}\ndate-released: {date}\n"),
    "CHANGELOG.md": (r"^## \[Unreleased\]\n(?=\n+[^#\s]|\n+###)", "## [Unreleased]\n\n## [{version}] - {date}\n"),
    "conda/recipe.yaml": (r'^  version: ".*"$', '  version: "{version}"'),
}
"""Where a version stands: the pattern and what takes its place, once in each file."""


def replaced(text: str, pattern: str, new: str, name: str) -> str:
    """Text in which a pattern, which occurs once, is replaced."""
    text, count = re.subn(pattern, lambda _: new, text, flags=re.MULTILINE)
    if count != 1:
        raise SystemExit(f"{name}: expected one place that fits {pattern!r}, and found {count}.")
    return text


def prepare(version: str, root: Path = ROOT, date: datetime.date | None = None) -> None:
    """Write a version and its date (by default today's) into all files that name it, or into none."""
    if not VERSION.fullmatch(version):
        raise SystemExit(f"A version is three numbers such as 0.2.0, perhaps with rc1 behind; not {version!r}.")
    values = {"version": version, "date": (date or datetime.date.today()).isoformat()}
    texts = {}
    for name, (pattern, new) in PLACES.items():
        texts[name] = replaced((root / name).read_text("utf-8"), pattern, new.format(**values), name)
    for name, text in texts.items():
        (root / name).write_text(text, "utf-8", newline="\n")
    print(f"Now: make test, commit and push; when all checks are green, publish the release v{version} on GitHub.")


def recipe(source: Path, output: Path) -> None:
    """Write the recipe for conda-forge with the version and the hash of a source distribution."""
    version = source.name.removeprefix("napari_rsmoe-").removesuffix(".tar.gz")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    pattern, new = PLACES["conda/recipe.yaml"]
    text = (ROOT / "conda" / "recipe.yaml").read_text("utf-8")
    text = replaced(text, pattern, new.format(version=version), "conda/recipe.yaml")
    text = replaced(text, r"^  sha256: [0-9a-f]{64}$", f"  sha256: {digest}", "conda/recipe.yaml")
    output.write_text(text, "utf-8", newline="\n")


def main() -> None:
    """Do one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("prepare", help="write the version into the files").add_argument("version")
    after = steps.add_parser("recipe", help="write the recipe of conda-forge")
    after.add_argument("source", type=Path, help="the source distribution")
    after.add_argument("output", type=Path, help="the recipe")
    options = parser.parse_args()
    if options.step == "prepare":
        prepare(options.version)
    else:
        recipe(options.source, options.output)


if __name__ == "__main__":
    main()
