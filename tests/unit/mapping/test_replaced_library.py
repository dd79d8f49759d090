"""The parser of the library jmespath is what expressions are read by; a fork takes its place under the same name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jmespath


def test_a_package_in_the_place_of_the_library_is_told_in_one_sentence(tmp_path: Path) -> None:
    fork = tmp_path / "jmespath"
    shutil.copytree(Path(jmespath.__file__).parent, fork)
    lexer = fork / "lexer.py"
    more = lexer.read_text().replace("SIMPLE_TOKENS = {", "SIMPLE_TOKENS = {'+': 'or',", 1)
    lexer.write_text(more)
    rules = tmp_path / "m.yaml"
    rules.write_text("version: 1\nrules:\n  - {name: a, when: x, destroy: {id: '${id}'}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "mapping", "lint", str(rules)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: another package has replaced the library jmespath, probably jmespath-community, which installs itself"
        " under the same name; run: pip uninstall jmespath-community; pip install --force-reinstall 'jmespath>=1,<2'\n"
    )
