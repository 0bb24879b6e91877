"""Docstrings say what a thing does or is: none opens with a question word, and a function's opens
with what the function does, in the imperative.
"""

from __future__ import annotations

import ast

import pytest

from tests.support.engine import ROOT

PRODUCTION = (
    "app.py", "chalicelib", "common", "runtime", "relay", "gateway", "voice", "client", "infra",
    "operations", "local", "tools", "examples",
)  # fmt: skip
QUESTIONS = {"What", "Who", "Whom", "Whose", "How", "Whether", "Where", "When", "That"}
NOUNS_IN = ()
"""Folders whose functions' docstrings may still open with a noun."""
NO_VERBS = {
    "A", "All", "An", "As", "Before", "By", "Each", "Every", "From", "In", "It", "Its", "No",
    "Nobody", "None", "Nothing", "Of", "On", "One", "Some", "The", "These", "This", "To", "True",
    "False", "Up", "Until", "With", "Without", "Your",
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def files():
    for name in PRODUCTION:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def opening(docstring):
    """The docstring's first word."""
    return docstring.split(maxsplit=1)[0].rstrip(",:") if docstring.strip() else ""


def texts(node):
    """(line, docstring) of a module, class or function, and of what is assigned in it."""
    if isinstance(node, _DOCUMENTED) and (docstring := ast.get_docstring(node)) is not None:
        yield getattr(node, "lineno", 1), docstring
    body = getattr(node, "body", None)
    for below in body[1:] if isinstance(body, list) else ():
        value = below.value if isinstance(below, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield below.lineno, value.value


def asking(source):
    """(line, docstring) of those that open with a question word."""
    for node in ast.walk(ast.parse(source)):
        for line, docstring in texts(node):
            if opening(docstring) in QUESTIONS:
                yield line, docstring.splitlines()[0]


def test_no_docstring_opens_with_a_question_word():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {docstring}"
        for path in files()
        for line, docstring in asking(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("word", sorted(QUESTIONS))
def test_this_test_finds_a_docstring_that_opens_with_a_question_word(word):
    source = f'ONE = 1\n"""{word} it is."""\n\ndef one():\n    """{word} it is."""\n'
    assert list(asking(source)) == [(2, f"{word} it is."), (4, f"{word} it is.")]


def imperative(word):
    """Return whether a word may be a verb in the imperative: not "Returns", "The" or "`text`"."""
    third_person = word.endswith("s") and not word.endswith("ss")
    capitalized = word.isalpha() and word[0].isupper() and not word.isupper()
    return capitalized and word not in NO_VERBS and not third_person


def not_imperative(source):
    """(line, docstring) of functions that do not open with what they do. `__init__` may open with a
    parameter.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _FUNCTIONS) and (docstring := ast.get_docstring(node)) is not None:
            word = opening(docstring).rstrip(".;?")
            parameter = node.name == "__init__" and word.startswith("`")
            if not parameter and not imperative(word):
                yield node.lineno, docstring.splitlines()[0]


def test_a_functions_docstring_opens_with_what_it_does():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {docstring}"
        for path in files()
        if path.relative_to(ROOT).parts[0] not in NOUNS_IN
        for line, docstring in not_imperative(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize("word", ["Returns", "Does", "Gives", "The", "`text`", "True", "SIP"])
def test_a_function_that_opens_otherwise_is_found(word):
    source = f'def one():\n    """{word} one."""\n'
    assert [docstring for _, docstring in not_imperative(source)] == [f"{word} one."]


@pytest.mark.parametrize("word", ["Return", "Do", "Pass", "Press"])
def test_a_verb_in_the_imperative_is_none_of_them(word):
    assert list(not_imperative(f'def one():\n    """{word} one."""\n')) == []
