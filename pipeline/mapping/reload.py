"""A running rule set is replaced only by one that compiles completely and passes its own tests."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from pipeline.documents import DocumentError, Level
from pipeline.mapping.building import MappingLimits
from pipeline.mapping.cases import load_suites, run_case
from pipeline.mapping.loading import load_rules, rule_files
from pipeline.mapping.ruleset import RuleSet


def load_tested_rules(
    paths: Sequence[Path],
    *,
    limits: MappingLimits | None = None,
    environment: Mapping[str, str] | None = None,
) -> RuleSet:
    """Load mapping files into one rule set and run the tests in and beside them.

    Raises:
        DocumentError: with every problem of the files, or with every test that fails.
    """
    rules = load_rules(paths, limits=limits, environment=environment)
    failed = []
    for suite in load_suites(paths, environment=environment):
        for case in suite.cases:
            result = run_case(suite.rules, case)
            if result.lines:
                text = f"the test '{case.test.name}' fails: {'; '.join(line.strip() for line in result.lines[:8])}"
                failed.append(case.document.problem(case.location, "test-failed", text, Level.ERROR))
    if failed:
        raise DocumentError(failed)
    return rules


class WatchedRules:
    """Tells when the contents of mapping files have changed since they were last asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._seen = self._fingerprint()

    def changed(self) -> bool:
        """Return whether a file was changed, added or removed since the last call; reads the files."""
        now = self._fingerprint()
        changed = now != self._seen
        self._seen = now
        return changed

    def _fingerprint(self) -> tuple[tuple[str, bytes], ...]:
        try:
            files = rule_files(self._paths)
        except DocumentError:
            return ()
        return tuple((str(file), _digest(file)) for file in files)


def _digest(file: Path) -> bytes:
    try:
        return blake2b(file.read_bytes(), digest_size=16).digest()
    except OSError:
        return b""
