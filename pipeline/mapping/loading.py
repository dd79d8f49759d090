"""Files to a rule set."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.documents import Document, DocumentError, Level, Location, Problem, read_document, validate
from pipeline.mapping.building import MappingLimits
from pipeline.mapping.compile import RuleCompiler
from pipeline.mapping.dispatch import Dispatch
from pipeline.mapping.expression import Writer, load_functions
from pipeline.mapping.plan import RulePlan, plan_rules, repeated_names
from pipeline.mapping.rules import MappingFile, Unmatched
from pipeline.mapping.ruleset import RuleSet
from pipeline.mapping.trace import Trace

_SUFFIXES = frozenset({".yaml", ".yml"})
_TEST_ENDINGS = ("_test.yaml", "_test.yml")


def load_rules(
    paths: Sequence[Path],
    *,
    limits: MappingLimits | None = None,
    environment: Mapping[str, str] | None = None,
) -> RuleSet:
    """Load mapping files, and the mapping files of folders in the order of their names, into one rule set.

    `environment` answers `env()`; the process's own if left out.

    Raises:
        DocumentError: with every problem of every file.
    """
    documents = [read_document(path) for path in rule_files(paths)]
    return compile_rules(documents, limits=limits, environment=environment)


def compile_rules(
    documents: Sequence[Document],
    *,
    limits: MappingLimits | None = None,
    environment: Mapping[str, str] | None = None,
    traced: bool = False,
) -> RuleSet:
    """Compile parsed files into one rule set; a `traced` one is slower and tells what events reach.

    Raises:
        DocumentError: with every problem of every file.
    """
    files: dict[str, MappingFile] = {}
    rules: list[RulePlan] = []
    problems: list[Problem] = []
    for document in documents:
        try:
            files[document.file] = file = validate(document, MappingFile)
        except DocumentError as error:
            problems += error.problems
            continue
        plans, found = plan_rules(document, file)
        rules += plans
        problems += found
    problems += repeated_names(rules)
    environment = os.environ if environment is None else environment
    writer = Writer()
    trace = Trace() if traced else None
    compiler = RuleCompiler(writer, environment, trace)
    dispatch = Dispatch(compiler, rules)
    dispatch.write()
    problems += compiler.problems.values()
    if any(problem.level is Level.ERROR for problem in problems):
        raise DocumentError(problems)
    compiler.finish()
    functions = load_functions(writer, "<rules>")
    dispatch.connect(functions)
    unmatched = Unmatched.SKIP
    if any(file.unmatched is Unmatched.DEAD_LETTER for file in files.values()):
        unmatched = Unmatched.DEAD_LETTER
    return RuleSet(
        tuple(rules),
        files,
        writer.source(),
        functions["apply"],
        functions["apply_tombstone"],
        unmatched,
        limits or MappingLimits(),
        tuple(trace.points) if trace else (),
        dispatch.index,
        tuple(documents),
    )


def rule_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that paths name; of a folder, its YAML files that are not only tests.

    Raises:
        DocumentError: a folder has none, or a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file for file in path.iterdir() if file.suffix in _SUFFIXES and not is_test_file(file)
        )
        if not inside:
            text = "the folder has no mapping file (*.yaml)"
            raise DocumentError([Problem(Location(str(path)), Level.ERROR, "no-files", text)])
        found += inside
    return list(dict.fromkeys(found))


def is_test_file(path: Path) -> bool:
    """Tell whether a file holds only tests, by its name."""
    return path.name.endswith(_TEST_ENDINGS)
