"""The Markdown files of the project, taken apart: fenced blocks, links, headings, command lines."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(file for top in ("docs", "benchmarks") for file in (ROOT / top).rglob("*.md")),
    ]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SEPARATORS = ";|&<>()"
LEADING = {"do", "then", "else", "!"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, and the line its text begins at."""

    file: Path
    line: int
    language: str
    text: str

    @property
    def place(self):
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def blocks(file, *languages):
    """Return the fenced blocks of a file, in order; of these languages only, when any is named."""
    text = file.read_text(encoding="utf-8")
    found = [
        Block(file, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]


def command_lines(text):
    """Yield the words after each ``saccade`` that is run in a piece of shell."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=SEPARATORS)
        words.whitespace_split = True
        part = []
        for word in [*words, ";"]:
            if set(word) <= set(SEPARATORS):
                if part and part[0] == "saccade":
                    yield part[1:]
                part = []
            elif part or word not in LEADING:
                part.append(word)


def broken_links(file, text=None):
    """Return the links that lead to no file, or to no heading, relative to ``file``."""
    plain = FENCE.sub("", file.read_text(encoding="utf-8") if text is None else text)
    broken = []
    for link in LINK.findall(plain):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = file.parent / path if path else file
        if not target.exists() or (heading and heading not in anchors(target)):
            broken.append(link)
    return broken


def anchors(file):
    """Return the anchors of a file's headings, as the common hosts make them."""
    plain = FENCE.sub("", file.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def tables(file):
    """Return each section's table: heading to rows, a row a list of its cells."""
    found, section = {}, ""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        elif line.startswith("| `"):
            found.setdefault(section, []).append([cell.strip() for cell in line.split("|")[1:-1]])
    return found
