"""Where a cell stands in its file, and where in a cell an error arose."""

import json
import re
from typing import Any

TOKEN = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[][{}]', re.S)

ANSI = re.compile(r"\x1b\[[\d;]*m")
CHAINED = re.compile(
    r"(?m)^[ |]*(?:During handling of the above exception, another exception "
    r"occurred|The above exception was the direct cause of the following "
    r"exception):\n"
)
# A cell in a traceback, as IPython has named it: Cell In[5], line 2;
# Input In [5], in <cell line: 2>(); <ipython-input-5-b7a1c0> in <module>.
FRAME = re.compile(
    r' *(?:File ")?(?:Cell In|Input In |<ipython-input-)\[?(\d+)'
    r"(?:[^,]*, line (\d+))?"
)
CODE = re.compile(r"-+> *(\d+)| +(?:\d+\b|\(\.\.\.\))")  # an arrow or not
# Python prints groups of exceptions itself, to stderr.
GROUP = re.compile(
    r'(?m)^ *\| +File "[^"\n]*[\\/]ipykernel_\d+[\\/]\d+\.py", line (\d+), '
    r"in <module>"
)


def source_lines(text: str) -> list[list[int]]:
    """Return where in a notebook's JSON text the source of each cell stands.

    For each line of a cell's source, the line of the file, from 0.
    """
    cells: list[list[int]] = []
    path: list[str] = []  # the key in each object or array that is open
    line = at = 0
    for token in TOKEN.finditer(text):
        string, key = token.groups()
        if key:
            path[-1] = json.loads(string)
        elif string and path[:3] == ["cells", "", "source"]:
            line, at = (
                line + text.count("\n", at, token.start()),
                token.start(),
            )
            source = json.loads(string)
            more = source.count("\n") + (not source.endswith("\n"))
            cells[-1] += [line] * more
        elif token[0] in ("[", "{"):
            if path == ["cells", ""]:
                cells.append([])
            path.append("")
        elif not string:
            path.pop()
    return cells


def own_lines(cell: Any) -> list[int]:
    """Return the lines of a cell, from 1, at which an error came out of it.

    The outermost, and the innermost if it is another one. None is found
    where the traceback does not name this very cell.
    """
    texts = [o.text for o in cell.outputs if o.get("name") == "stderr"]
    errors = [o for o in cell.outputs if o.output_type == "error"]
    found = [int(n) for n in GROUP.findall(_last("".join(texts)))[:1]]
    if errors:
        found, ours = [], False
        traceback = ANSI.sub("", "\n".join(errors[-1].traceback)).rstrip()
        said = ANSI.sub("", str(errors[-1].evalue)).rstrip()
        for line in _last(traceback.removesuffix(said)).split("\n"):
            frame, code = FRAME.match(line), CODE.match(line)
            if frame:
                ours = frame[1] == str(cell.execution_count)
                number = frame[2]
            else:
                number = code and code[1]
                ours = ours and bool(code)
            if ours and number:
                found.append(int(number))
                ours = False  # the rest of the frame shows it again
    end = len(cell.source.splitlines())
    found = [number for number in found if number <= end]
    return list(dict.fromkeys(found[:1] + found[-1:]))


def _last(traceback: str) -> str:
    """Return the part of the last of chained exceptions."""
    return CHAINED.split(traceback)[-1]


def annotation(path: str, line: int, title: str, message: str) -> str:
    """Return what makes GitHub show a message beside a line of a file."""

    def escaped(text: str, more: str = "") -> str:
        for char in "%\r\n" + more:
            text = text.replace(char, f"%{ord(char):02X}")
        return text

    place = f"file={escaped(path, ':,')},line={line}"
    return f"::error {place},title={escaped(title, ':,')}::{escaped(message)}"
