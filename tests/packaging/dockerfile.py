"""Reads docker/Dockerfile: its stages and instructions, as far as the tests need them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM with its instructions, in order."""

    image: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [argument for word, argument in self.instructions if word == keyword]

    def copied(self) -> list[str]:
        """Return what is copied from the build context."""
        return [
            source
            for argument in self.all("COPY")
            if not argument.startswith("--from")
            for source in argument.split()[:-1]
        ]


def read_stages(file: Path) -> list[Stage]:
    text = re.sub(r"(?m)^\s*#.*\n", "", file.read_text("utf-8"))
    stages: list[Stage] = []
    for line in text.replace("\\\n", " ").splitlines():
        keyword, _, argument = line.strip().partition(" ")
        if keyword == "FROM":
            image, _, name = argument.partition(" AS ")
            stages.append(Stage(image, name or None))
        elif keyword:
            stages[-1].instructions.append((keyword, argument.strip()))
    return stages
