"""What a maintainer needs for a release: one version everywhere, and a recipe for conda-forge that can be read."""

from __future__ import annotations

import datetime
import hashlib
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import release  # scripts/ is on the path
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch"}
SYSTEMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of the files that name the version."""
    for name in release.PLACES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_release_is_prepared_in_all_files(files: Path) -> None:
    release.prepare("7.8.9", files, datetime.date(2031, 2, 3))
    texts = {name: (files / name).read_text("utf-8") for name in release.PLACES}
    assert tomllib.loads(texts["pyproject.toml"])["project"]["version"] == "7.8.9"
    assert "\nversion: 7.8.9\ndate-released: 2031-02-03\n" in texts["CITATION.cff"]
    assert "## [Unreleased]\n\n## [7.8.9] - 2031-02-03\n\n### " in texts["CHANGELOG.md"]
    assert '  version: "7.8.9"\n' in texts["conda/recipe.yaml"]


@pytest.mark.parametrize("version", ["7.8", "v7.8.9", "7.8.9-rc1"])
def test_a_wrong_version_changes_nothing(files: Path, version: str) -> None:
    with pytest.raises(SystemExit, match="three numbers"):
        release.prepare(version, files)
    assert all((files / name).read_bytes() == (ROOT / name).read_bytes() for name in release.PLACES)


def test_nothing_is_released_without_a_change(files: Path) -> None:
    release.prepare("7.8.9", files)
    with pytest.raises(SystemExit, match=r"CHANGELOG\.md"):
        release.prepare("7.8.10", files)
    assert '"7.8.9"' in (files / "pyproject.toml").read_text("utf-8")


def test_the_recipe_holds_the_hash_of_the_source_and_can_be_rendered(tmp_path: Path) -> None:
    source, output = tmp_path / "napari_rsmoe-7.8.9.tar.gz", tmp_path / "recipe.yaml"
    source.write_bytes(b"the source")
    release.recipe(source, output)
    text = output.read_text("utf-8")
    assert f"  sha256: {hashlib.sha256(b'the source').hexdigest()}\n" in text
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    recipe = rattler.Stage0Recipe.from_file(str(output))
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    needed = {(Requirement(line).name, str(Requirement(line).specifier)) for line in lines}
    expected = {f"{CONDA_NAMES.get(name, name)}{versions}" for name, versions in needed}
    for system in SYSTEMS:
        compilers = {name: ["vs2022" if system == "win-64" else "gcc"] for name in ("c_compiler", "cxx_compiler")}
        variant = rattler.VariantConfig({"python": ["3.12.* *_cpython"], "c_stdlib": ["sysroot"], **compilers})
        platform = rattler.PlatformConfig(target_platform=system, build_platform=system, host_platform=system)
        (rendered,) = recipe.render(variant, rattler.RenderConfig(platform))
        run = {str(each).replace(" ", "") for each in rendered.recipe.requirements.run}
        assert expected <= run, system


def test_links_and_pictures_of_the_readme_are_found_from_pypi_and_the_hub() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    text = (ROOT / "README.md").read_text("utf-8")
    for each in hatch["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith("https://")] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150
