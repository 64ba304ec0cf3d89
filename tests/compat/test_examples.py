"""openai-agents' own examples print under Outlast what they print under it."""

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import side_by_side

VERSION = "0.24.0"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "upstream-examples.md"


def pip(python: Path | str, *words: str) -> None:
    subprocess.run([str(python), "-m", "pip", "-q", *words], check=True, timeout=600)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of examples, from the release's sources; nothing else is unpacked."""
    place = tmp_path_factory.mktemp("sdist")
    pip(
        sys.executable,
        "download",
        "--no-deps",
        "--no-binary",
        ":all:",
        f"openai-agents=={VERSION}",
        "-d",
        str(place),
    )
    with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
        for member in archive.getmembers():
            path = Path(member.name).relative_to(Path(member.name).parts[0])
            if path.parts[:1] == ("examples",) and member.isfile():
                member.name = str(path)
                archive.extract(member, place, filter="data")
    return place


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has openai-agents."""
    known = os.environ.get("OUTLAST_UPSTREAM_PYTHON")
    if known:
        return Path(known)
    place = tmp_path_factory.mktemp("upstream")
    venv.create(place, with_pip=True)
    pip(place / "bin" / "python", "install", f"openai-agents=={VERSION}", "rich")
    return place / "bin" / "python"


@pytest.mark.endpoints
@pytest.mark.timeout(3600)
def test_examples_print_the_same(examples: Path, upstream: Path):
    found = [
        side_by_side.compare(examples, upstream, n) for n in side_by_side.entry_points(examples)
    ]
    assert [(each.example, each.why) for each in found if each.verdict == "different"] == []
    assert sum(each.verdict == "equal" for each in found) >= 30


def test_an_example_that_is_explained_is_on_the_page_with_its_reason():
    page = PAGE.read_text()
    for example, why in side_by_side.EXPLAINED.items():
        assert f"| `{example}` | explained: {why} |" in page
    assert "| different:" not in page
