"""Problems and test results for people and for programs."""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from xml.etree import ElementTree

from pipeline.documents import Level, Problem
from pipeline.mapping.cases import CaseResult, Suite


class Format(StrEnum):
    """How problems are written."""

    TEXT = "text"
    GITHUB = "github"
    JSON = "json"


def problem_lines(problems: Sequence[Problem], how: Format) -> Iterator[str]:
    """Yield problems as text with the line of the source, as annotations of GitHub, or as JSON Lines."""
    for problem in problems:
        if how is Format.GITHUB:
            yield _annotation(problem)
        elif how is Format.JSON:
            yield json.dumps(_fields(problem), ensure_ascii=False)
        else:
            yield _text(problem)


def _text(problem: Problem) -> str:
    head, separator, source = str(problem).partition("\n")
    marked = head.replace(f": {problem.level}: ", f": {problem.level} {problem.code}: ", 1)
    return marked + separator + source


def _annotation(problem: Problem) -> str:
    place = problem.location
    where = f"file={_property(place.file)}" + (f",line={place.line},col={place.column}" if place.line else "")
    kind = "error" if problem.level is Level.ERROR else "warning"
    return f"::{kind} {where},title={_property(problem.code)}::{_escaped(problem.text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _fields(problem: Problem) -> dict[str, object]:
    place = problem.location
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "level": problem.level,
        "code": problem.code,
        "text": problem.text,
    }


def junit(results: Sequence[tuple[Suite, Sequence[CaseResult]]]) -> str:
    """Return test results as JUnit's XML."""
    root = ElementTree.Element("testsuites")
    for suite, cases in results:
        failed = sum(1 for case in cases if case.lines)
        element = ElementTree.SubElement(
            root, "testsuite", name=suite.file, tests=str(len(cases)), failures=str(failed), errors="0"
        )
        for result in cases:
            place = result.case.location
            name = result.case.test.name
            one = ElementTree.SubElement(
                element, "testcase", classname=place.file, name=name, line=str(place.line)
            )
            if result.lines:
                ElementTree.SubElement(one, "failure", message="not as expected").text = "\n".join(
                    result.lines
                )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
