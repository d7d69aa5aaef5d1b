"""What the prose of the lessons promises, and what their self-checks say."""

import ast
import re
from functools import cache

import nbformat
import pytest
from printed import NUMBER

from tools.author import sources
from tools.frameworks import FRAMEWORKS, why_missing
from tools.quality import wrong_answers
from tools.quality.in_process import execute

# What is no measurement is marked so: <!-- unmeasured: 1890 (a date) -->
MARKED = re.compile(r"<!-- unmeasured:(.*?)-->", re.S)
# Formulas of their own, code, links, and the names of lessons and sources.
NO_PROSE = re.compile(
    r"\$\$.*?\$\$|```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->"
    r"|[Ll]esson 0\d|Exercise \d+|(?<!,)\b00\d\b|^# 0\d|^\d+\. ",
    re.S | re.M,
)
EXPONENT = re.compile(r"[_^](?:\{[^}]*\}|.)|\\t?frac\{?\d\}?\{?\d\}?")


def numbers_in(prose):
    """Return the numbers that a prose cell states, as they are written."""
    marked = NUMBER.findall(" ".join(MARKED.findall(prose)))
    text = EXPONENT.sub(" ", NO_PROSE.sub(" ", prose))
    text = plain(text.replace("\N{MINUS SIGN}", "-"))
    text = re.sub(r"(?<=[\w)])-(?=\d)", " ", text)  # 5-95: no minus
    found = re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e-?\d+)?", text)
    return [n for n in found if n not in marked]


def plain(text):
    """Return a text with 25 600 and 25,600 written as 25600."""
    return re.sub(r"(?<=\d)[ ,](?=\d{3}\b)", "", text)


def vouched_for(number, values):
    """Tell whether one of the values, rounded as the prose does, is it."""
    digits = len(number.partition("e")[0].partition(".")[2])
    form = f".{digits}{'e' if 'e' in number else 'f'}"
    return any(float(f"{v:{form}}") == float(number) for v in values)


@cache
def exercises_of(name):
    """The exercises of a lesson in NumPy, each with the names before it."""
    return list(wrong_answers.exercises_of(name, "numpy"))


@cache
def numbers_shown(name):
    """Return {cell id: the numbers that it prints, sets or asserts}.

    What is printed is stored in the notebook; solutions are run here.
    """
    path = sources.NOTEBOOKS / "numpy" / f"{name}.ipynb"
    printed = {
        cell.id: "".join(out.get("text", "") for out in cell.outputs)
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    }
    cells = [
        c for c in sources.read(name).cells_of("numpy") if c.kind == "code"
    ]
    ids = {cell.source: cell.id for cell in cells}
    for _, solutions, check, names in exercises_of(name):
        names = dict(names)
        for source in solutions:
            printed[ids[source]] = execute(source, names, "answer")
        printed[ids[check]] = wrong_answers.said_of(check, names)
        assert printed[ids[check]].endswith(": right.\n")
    return {
        cell.id: [
            *map(float, NUMBER.findall(plain(printed[cell.id]))),
            *constants(ast.parse(cell.source)),
        ]
        for cell in cells
    }


def constants(node):
    """Yield the numbers in code; those that only steer it are left out."""
    match node:
        case (
            ast.Subscript()
            | ast.Call(func=ast.Name(id="range"))
            | ast.keyword(arg="axis" | "dim" | "figsize" | "keepdims")
        ):
            return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        for value in constants(node.operand):
            yield -value
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from constants(child)


@pytest.mark.parametrize("name", sources.names())
def test_every_number_in_the_prose_is_printed_or_used_by_a_cell(name):
    shown = [n for numbers in numbers_shown(name).values() for n in numbers]
    missing = [
        f"{number} (line {cell.line}, {cell.heading})"
        for cell in sources.read(name).cells
        for prose in (cell.alt, cell.source * (cell.kind == "markdown"))
        for number in numbers_in(prose)
        if not vouched_for(number, shown)
    ]
    assert not missing, "no cell vouches for: " + "; ".join(missing)


def test_numbers_are_found_in_prose_unless_marked():
    prose = """It falls to 0.38, from -45.92 to 25 600, at $w = 4.12$, $x^2$,
        `n = 7`, lesson 03. In 1964 he said 4. <!-- unmeasured: 1964 -->
        $$y = 2 x$$ says 004."""
    assert numbers_in(prose) == ["0.38", "-45.92", "25600", "4.12", "4"]


LINK = re.compile(r"\[([^]]*)\]\(\.\./numpy/(\w+)\.ipynb#cell-id=([\w-]+)\)")


def test_what_is_said_of_a_source_is_shown_by_the_linked_cells():
    page = sources.SOURCE / "what_the_sources_get_wrong.md"
    lines = page.read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line[:2] == "| "]
    assert len(rows) > 14
    for who, said, true, where in rows[1:]:
        assert re.match(r"00[0-4](, 00[0-4])*( \(|$)", who.strip()), who
        links, shown = LINK.findall(where), []
        assert links and not LINK.sub("", where).strip(", ")
        for words, name, cell_id in links:
            cells = {cell.id: cell for cell in sources.read(name).cells}
            assert words == f"{name[:2]} {cells[cell_id].heading}"
            shown += numbers_shown(name)[cell_id]
        missing = [n for n in numbers_in(true) if not vouched_for(n, shown)]
        assert not missing, f"not shown by what is linked to {said}"


@pytest.mark.parametrize("name", sources.names())
def test_a_lesson_opens_and_ends_as_readers_expect(name):
    text = (sources.SOURCE / f"{name}.md").read_text()
    for words in (
        "**What you will do.**",
        "**What you will learn.**",
        "**What you need.**",
        "minutes",
        "## What you saw",
        "## Exercises",
    ):
        assert words in text
    assert text.count("**Predict.**") >= 5
    assert text.index("## What you saw") < text.index("## Exercises")
    first = " ".join(text.partition("### Exercise 1: ")[2].split()[:99])
    assert "About two minutes" in first and "Change one" in first


# What the self-checks say


JUDGED = [(name, False) for name in sources.names() if name[1] in "125"]
JUDGED += [
    pytest.param(name, True, marks=pytest.mark.slow)
    for name in sources.names()
]


@pytest.mark.parametrize(("name", "in_all"), JUDGED)
def test_checks_take_right_answers_in_any_form_and_tell_others_in_words(
    name, in_all
):
    """The checks are NumPy's; the answers, its arrays or all frameworks'."""
    frameworks = [n for n in FRAMEWORKS if in_all and not why_missing(n)]
    families = "form", "nonsense"
    found = list(wrong_answers.judge(name, "numpy", families, frameworks))
    asked = [c for c in sources.read(name).cells if "check" in c.tags]
    for family in families:
        judged = {one.exercise for one in found if one.family == family}
        assert len(judged) == len(asked)
    assert not [one for one in found if not one.is_just()]


PLANTED = {  # right numbers, or nearly, by another way than is asked for
    ("02", 5): """
def my_loss(w):  # the own pair is kept
    y_hat = my_weights(keys, keys, w) @ values
    return np.mean((y_hat - values) ** 2)


w_mine = min(np.geomspace(1, 100, 100), key=my_loss)
""",
    ("03", 2): """
def choose_width(loss):  # more than twenty
    widths = np.geomspace(1, 20, 21)
    return widths[np.argmin(loss(widths))]
""",
    ("04", 3): """
h_own, loss_own, h_loo, loss_loo = 0.0219, 0.00557, 0.0864, 0.01457


def learn_width(keys, values, steps):  # no gradient
    return (h_own, loss_own) if keys.ndim == 1 else (h_loo, loss_loo)
""",
    ("04", 4): """
distance = ((ball_queries[:, None] - long_keys) ** 2).sum(axis=2)
dot_weights = softmax(-distance / 2 / 0.5**2)
per_key = np.zeros(10)
""",
    ("04", 6): """
losses_500 = [np.mean((predict(x_500, w) - y_500) ** 2) for w in ws]
""",
    ("05", 3): """
def pool_by_keys(x_q, x_k, y, w, size):  # all scores at once
    return softmax(-((w * (x_q[:, None] - x_k)) ** 2) / 2) @ y
""",
    ("05", 3, "rows"): """
def pool_by_keys(x_q, x_k, y, w, size):  # a whole row of scores at once
    return [softmax(-((w * (q - x_k)) ** 2) / 2) @ y for q in x_q]
""",
}


@pytest.mark.parametrize("where", PLANTED, ids=str)
def test_a_check_that_names_a_method_tests_for_it(where):
    (name,) = [n for n in sources.names() if n.startswith(where[0])]
    title, solutions, check, names = exercises_of(name)[where[1] - 1]
    assert title.startswith(f"Exercise {where[1]}:")
    names = dict(names)
    for source in (*solutions, PLANTED[where]):
        execute(source, names, "answer")
    said = wrong_answers.said_of(check, names)
    assert ": not yet. " in said and "raised" not in said
