"""Files of the book and the slides: archives, Sphinx, and how they land."""

import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import nbformat

from tools.author.notebooks import dumps
from tools.author.sources import PACKAGES, ROOT, LessonError
from tools.frameworks import FRAMEWORKS

INSTALL = """\
Attention pooling in {title}. With Python 3.11:

    pip install ".[{name},lab]"
    jupyter lab notebooks
"""
LICENSES = "LICENSE", "notebooks/source/LICENSE"
# Of what Sphinx makes, readers need neither this nor most of reveal.js.
LEFT_OUT = re.compile(
    r"\.buildinfo|\.doctrees/.*|objects\.inv|_static/revealjs/"
    r"(?!(LICENSE|dist/reveal\.(css|js)|plugin/notes/notes\.js)$).*"
)


def template(name: str) -> str:
    """Return a text in which others are to be filled in."""
    path = Path(__file__).with_name("templates") / f"{name}.md"
    return path.read_text("utf-8")


def needed(framework: str) -> dict[str, bytes]:
    """Return all that a framework's notebooks need, {path: content}."""
    title = FRAMEWORKS[framework].title
    text = INSTALL.format(title=title, name=framework)
    inside = {"INSTALL.txt": text.encode()}
    packages = [f"{package}/*.*" for package in PACKAGES]
    for pattern in *packages, "pyproject.toml", "README.md", *LICENSES:
        for path in ROOT.glob(pattern):
            name = path.relative_to(ROOT).as_posix()
            inside[name] = path.read_text("utf-8").encode()
    return inside


def notebook(path: Path, link: str = "") -> bytes:
    """Return a notebook with a link, or none, in place of its siblings'."""
    found = nbformat.read(path, as_version=4)
    title, _, _, *rest = found.cells[0].source.split("\n")
    lines = [title, *(["", link] if link else []), *rest]
    found.cells[0].source = "\n".join(lines)
    return dumps(found).encode()


def zipped(inside: Mapping[str, bytes], folder: str) -> bytes:
    """Return a zip of files in one folder: no times, so always the same."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archived:
        for name, content in sorted(inside.items()):
            entry = zipfile.ZipInfo(f"{folder}/{name}")
            entry.external_attr = 0o644 << 16
            archived.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def write(files: Mapping[str, str | bytes], folder: Path) -> None:
    """Bring a folder to hold just these files; equal ones are left alone."""
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        content = content.encode() if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = folder.parent / f"{folder.name}.partial"
            partial.write_bytes(content)
            partial.replace(path)


def sphinx(
    builder: str, settings: Path, texts: Mapping[str, str], folder: Path
) -> dict[str, bytes]:
    """Return what Sphinx makes of MyST files, {path: content}.

    Raises:
        LessonError: Sphinx warned.
    """
    write(texts, folder)
    command = [sys.executable, "-m", "sphinx", "--builder", builder]
    command += ["--fail-on-warning", "--keep-going", "--quiet"]
    command += ["--conf-dir", str(settings), str(folder)]
    with tempfile.TemporaryDirectory() as made:
        if subprocess.run([*command, made], cwd=ROOT).returncode:
            raise LessonError(
                f"Sphinx warned of what is in {folder} (see above); "
                "what was made before is as it was."
            )
        paths = [path for path in Path(made).rglob("*") if path.is_file()]
        found = {p.relative_to(made).as_posix(): p.read_bytes() for p in paths}
    return {n: c for n, c in found.items() if not LEFT_OUT.fullmatch(n)}
