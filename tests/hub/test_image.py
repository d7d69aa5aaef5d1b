"""The image that Binder and Zero to JupyterHub make of this repository."""

import subprocess
import sys

from tools.author.sources import ROOT


def test_repo2docker_takes_the_repository_with_all_that_its_pins_need(
    tmp_path,
):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    answer = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", clone],
        capture_output=True,
        text=True,
    )
    said = answer.stdout + answer.stderr
    assert answer.returncode == 0, said
    assert "Building conda environment for python=3.11" in said
    # Its pip reads the pins and this package: they have to be there before.
    copied = said.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    installed = said.index('--file "environment.yml"')
    assert copied < installed
