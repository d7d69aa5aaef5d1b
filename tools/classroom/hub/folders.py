"""The repository that students' lessons come from, made from notebooks/."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.author.sources import NOTEBOOKS

# A notebook that both sides have changed stays the student's, as a whole:
# merged line by line it might be neither's.
ATTRIBUTES = "*.ipynb binary\n"
# Nothing of the teacher's own: no hooks, no signing.
QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
AUTHOR = ["-c", "user.name=lessons", "-c", "user.email=lessons@localhost"]


def publish(frameworks, repository, notebooks=NOTEBOOKS):
    """Commit the notebooks as they are now, if they differ from the last.

    Args:
        frameworks: names of the folders in ``notebooks`` to be handed out.
        repository: path of the bare repository; it is made where missing.
        notebooks: folder with one folder per framework.

    Returns:
        True when there was something new.

    Raises:
        SystemExit: in one line, when there are no notebooks.
    """

    def git(*arguments, check=True):
        return subprocess.run(
            ["git", "--git-dir", repository, *AUTHOR, *arguments],
            env={**os.environ, **QUIET},
            umask=0o022,  # students read it, whatever the teacher's umask
            check=check,
        )

    if not (repository / "HEAD").exists():
        git("init", "--quiet", "--bare", "--initial-branch=main")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / ".gitattributes").write_text(ATTRIBUTES)
        for framework in frameworks:
            for path in (notebooks / framework).glob("[0-9]*_*.ipynb"):
                (folder / framework).mkdir(exist_ok=True)
                shutil.copyfile(path, folder / framework / path.name)
        if len(list(folder.iterdir())) == 1:
            raise SystemExit(
                "LESSONS: expected a folder with notebooks in "
                f"{' or '.join(frameworks)}, got '{notebooks}'"
            )
        here = ("--work-tree", folder)
        git(*here, "add", "--all")
        if not git("diff", "--cached", "--quiet", check=False).returncode:
            return False
        git(*here, "commit", "--quiet", "--message", "Lessons")
    return True
