"""Plays the part of a lesson that a claim rests on, with answers in place of what measures.

`fails(notebook, words, answers)` follows the condition of `claim(condition, words)` back to where its
figures come from, through all cells before it, and runs those lines alone. What measures is named
in `answers` and gives those instead; everything between the figures and the claim is the lesson's.
"""

import ast
import builtins
import dataclasses
import itertools
import math
from collections.abc import Iterator
from contextlib import ExitStack
from types import CodeType
from typing import Any
from unittest.mock import patch

from nbformat import NotebookNode

# A function of the lesson (`rate`), or of a module that it imports (`fair.measure`), and what its
# calls return, in their order. What the lesson passes to it does not count.
Answers = dict[str, list[Any]]
Slice = tuple[list[ast.stmt], set[str]]

GROWING = {"append", "extend", "add", "update"}  # methods after which a name has another value
NUDGE = 0.01  # by so much a figure may be off, and the claim has to fail all the same


def claims(notebook: NotebookNode) -> dict[str, int]:
    """Return the words of a lesson's claims, and where each stands among its statements."""
    found: dict[str, int] = {}
    for place, statement in enumerate(_statements(notebook)):
        if words := _words(statement):
            assert words not in found, f"two claims have the same words: {words}"
            found[words] = place
    return found


def fails(notebook: NotebookNode, words: str, answers: Answers) -> str:
    """Return "" where the claim fails with these figures, also if they are nudged; else why not."""
    try:
        code, condition = _part_of(notebook, words, set(answers))
        if _holds(code, condition, answers):
            return "it holds"
        for nudges in ((1 + NUDGE, 1 - NUDGE), (1 - NUDGE, 1 + NUDGE)):
            if _holds(code, condition, answers, nudges):
                return "it fails by a hair: it holds if nudged"
    except ValueError as error:
        return str(error)
    return ""


def holds(notebook: NotebookNode, words: str, answers: Answers) -> bool:
    """Return whether a claim holds with these answers.

    Raises:
        ValueError: an answer is no figure, or not asked for; or it stands for what the lesson computes.
    """
    return _holds(*_part_of(notebook, words, set(answers)), answers)


def _part_of(
    notebook: NotebookNode, words: str, given: set[str]
) -> tuple[list[CodeType], CodeType]:
    """Return the statements on which a claim rests, and its condition. Raises ValueError."""
    statements = [_Bare(given).visit(one) for one in _statements(notebook)]
    place = next(place for place, one in enumerate(statements) if _words(one) == words)
    condition = statements[place].value.args[0]
    kept, missing = _rests_on(statements[:place], _read(condition), given)
    if missing := missing - given - set(dir(builtins)):
        raise ValueError(f"nothing in the lesson gives {', '.join(sorted(missing))}")
    whole = [ast.fix_missing_locations(ast.Module([one], type_ignores=[])) for one in kept]
    last = ast.fix_missing_locations(ast.Expression(condition))
    return [compile(one, words, "exec") for one in whole], compile(last, words, "eval")


def _holds(
    code: list[CodeType], condition: CodeType, answers: Answers, nudges: tuple[float, ...] = (1.0,)
) -> bool:
    """Run; each figure of the answers is taken times one of the nudges, in turn."""
    turn = itertools.cycle(nudges)
    given = {name: _Given(name, answer, turn) for name, answer in answers.items()}
    scope: dict[str, Any] = {name: one for name, one in given.items() if "." not in name}
    waiting = {name for name in answers if "." in name}
    with ExitStack() as patched:
        for statement in code:
            exec(statement, scope)
            for name in list(waiting):
                owner, _, function = name.rpartition(".")
                if owner in scope:
                    waiting.remove(name)
                    patched.enter_context(patch.object(scope[owner], function, given[name]))
        result = eval(condition, scope)
    for one in given.values():
        one.check()
    return bool(result)


class _Bare(ast.NodeTransformer):
    """Takes the arguments away from what measures."""

    def __init__(self, names: set[str]):
        self._names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return _with(node, args=[], keywords=[]) if ast.unparse(node.func) in self._names else node


class _Given:
    """Stands for a function that measures."""

    def __init__(self, name: str, answers: list[Any], nudges: Iterator[float]):
        self._name, self._nudges, self._answers, self._calls = name, nudges, answers, 0

    def __call__(self) -> Any:
        self._calls += 1
        if self._calls > len(self._answers):
            raise ValueError(f"{self._name} has too few answers")
        return self._nudged(self._answers[self._calls - 1])

    def check(self) -> None:
        if not self._calls:
            raise ValueError(f"the claim does not rest on {self._name}")
        if self._calls < len(self._answers):
            raise ValueError(f"{self._name} has too many answers")

    def _nudged(self, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError(f"{self._name} measures, and {value} is no figure")
        if isinstance(value, int | float):
            if not 0 < value < math.inf:
                raise ValueError(f"{self._name} never finds {value}")
            return value * next(self._nudges)
        if isinstance(value, dict):
            return {key: self._nudged(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._nudged(one) for one in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
            return dataclasses.replace(value, **self._nudged(fields))
        return value


def _statements(notebook: NotebookNode) -> list[ast.stmt]:
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [statement for source in code for statement in ast.parse(source).body]


def _words(statement: ast.stmt) -> str:
    """Return the words of a claim, which stands at the left edge; "" for any other statement."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "claim":
            assert isinstance(statement, ast.Expr), f"indented: {ast.unparse(node)}"
            assert statement.value is node, f"inside something else: {ast.unparse(node)}"
            return str(ast.literal_eval(node.args[1]))
    return ""


def _rests_on(statements: list[ast.stmt], live: set[str], given: set[str]) -> Slice:
    """Return what of the statements the live names rest on, and the names that are live before.

    A name is live where its value is still going to be read: this is a backward slice.
    """
    kept: list[ast.stmt] = []
    for one in reversed(statements):
        part, live = _part(one, live, given)
        kept = part + kept
    return kept, live


def _part(one: ast.stmt, live: set[str], given: set[str]) -> Slice:
    """Return what of one statement the live names rest on, and the names that are live before it."""
    body: list[ast.stmt]
    if isinstance(one, ast.Import | ast.ImportFrom):
        bound = {alias.asname or alias.name.partition(".")[0]: alias for alias in one.names}
        names = [alias for name, alias in bound.items() if name in live - given]
        return [_with(one, names=names)] if names else [], live - set(bound)
    if isinstance(one, ast.FunctionDef | ast.ClassDef):
        if one.name not in live or one.name in given:
            return [], live - {one.name}
        return [one], live - {one.name} | _read(one)
    if isinstance(one, ast.For):
        inside = set(live)
        while True:
            body, before = _rests_on(one.body, inside, given)
            if before <= inside:
                break
            inside |= before  # what a turn leaves behind, the next one may read
        if not body and not _names(one.target) & live:
            return [], live
        return [_with(one, body=body or [ast.Pass()])], inside - _names(one.target) | _read(
            one.iter
        )
    if isinstance(one, ast.With):
        bound_here = {name for item in one.items for name in _names(item.optional_vars)}
        body, before = _rests_on(one.body, live, given)
        if not body and not bound_here & live:
            return [], live
        live = before - bound_here | {name for item in one.items for name in _read(item)}
        return [_with(one, body=body or [ast.Pass()])], live
    if isinstance(one, ast.If):
        body, before = _rests_on(one.body, live, given)
        other, before_other = _rests_on(one.orelse, live, given)
        if not body and not other:
            return [], live
        return [_with(one, body=body or [ast.Pass()], orelse=other)], (
            before | before_other | _read(one.test)
        )
    changed = _changed(one)
    if not changed & live:
        return [], live
    if changed & given:
        raise ValueError(f"the lesson computes {', '.join(changed & given)}: give what measures")
    whole = isinstance(one, ast.Assign) and not any(
        isinstance(part, ast.Subscript | ast.Attribute) for part in one.targets
    )
    return [one], (live - changed if whole else live) | _read(one)


def _changed(one: ast.stmt) -> set[str]:
    """Return the names that have another value after a statement without a body."""
    if isinstance(one, ast.Assign):
        return {name for target in one.targets for name in _names(target)}
    if isinstance(one, ast.AugAssign | ast.AnnAssign):
        return _names(one.target)
    if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call):
        method = one.value.func
        if isinstance(method, ast.Attribute) and method.attr in GROWING:
            return _names(method.value)
    return set()


def _names(node: ast.AST | None) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} if node else set()


def _read(node: ast.AST) -> set[str]:
    """Return the names that a piece of code reads, but for those of its own functions and loops."""
    own = (ast.comprehension, ast.Lambda, ast.FunctionDef)
    bound = {
        inner.arg if isinstance(inner, ast.arg) else inner.id
        for scope in ast.walk(node)
        if isinstance(scope, own)
        for inner in ast.walk(scope)
        if isinstance(inner, ast.arg) or (isinstance(inner, ast.Name) and _stored(inner))
    }
    return {
        one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not _stored(one)
    } - bound


def _stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _with(node: Any, **fields: Any) -> Any:
    """Return a copy of a node with other fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})
