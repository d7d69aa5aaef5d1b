"""The repository that students' lessons come from, made from notebooks/."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

# A notebook that both sides have changed stays the student's, as a whole:
# merged line by line it might be neither's.
ATTRIBUTES = "*.ipynb binary\n"
# Nothing of the teacher's own: no hooks, no signing.
QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
AUTHOR = ["-c", "user.name=lessons", "-c", "user.email=lessons@localhost"]


def publish(frameworks: list[str], repository: Path, notebooks: Path) -> bool:
    """Commit the frameworks' notebooks as they are now; tell if any is new."""

    def git(*arguments: str | Path, check: bool = True) -> int:
        return subprocess.run(
            ["git", "--git-dir", repository, *AUTHOR, *arguments],
            env={**os.environ, **QUIET},
            umask=0o022,  # students read it, whatever the teacher's umask
            check=check,
        ).returncode

    if not (repository / "HEAD").exists():
        git("init", "--quiet", "--bare", "--initial-branch=main")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".gitattributes").write_text(ATTRIBUTES)
        for place in [*frameworks, "."]:  # a kit's have no folder of their own
            for path in (notebooks / place).glob("[0-9]*_*.ipynb"):
                (folder / place).mkdir(exist_ok=True)
                shutil.copyfile(path, folder / place / path.name)
        if len(list(folder.iterdir())) == 1:
            raise SystemExit(
                "LESSONS: expected a folder with notebooks in "
                f"{' or '.join(frameworks)}, got '{notebooks}'"
            )
        git("--work-tree", folder, "add", "--all")
        new = git("diff", "--cached", "--quiet", check=False) != 0
        if new:
            git("--work-tree", folder, "commit", "--quiet", "-m", "Lessons")
        return new
