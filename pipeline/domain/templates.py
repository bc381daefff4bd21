"""Message templates: written by the campaign's author, filled with the data of recipients."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Self

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import escape

from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import Recipient

MAX_RENDERED = 1_000_000
"""Characters; ten times what any mail client shows, and a bound for a loop over a long value."""

# Without `safe` and its like a value can never become markup; without those that take a width or
# multiply, the result grows no faster than template times values.
_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int"),
    *("join", "last", "length", "list", "lower", "reverse", "sort", "string", "striptags"),
    *("title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount"),
)
_METHODS = (
    *("capitalize", "endswith", "lower", "lstrip", "rstrip", "split", "startswith", "strip"),
    *("title", "upper"),
)
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
    *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.Compare, nodes.Operand, nodes.CondExpr),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Add, nodes.Sub, nodes.Concat),
    *(nodes.If, nodes.For, nodes.Assign, nodes.Tuple, nodes.List, nodes.Slice),
)


class Template:
    """
    One template, compiled once; rendering it is pure.

    `variables` are the names that it needs. Values are only ever inserted, never rendered, and in
    an HTML template escaped. There are conditions, filters and plain loops, but nothing that
    calls functions, so what a template can cost is bounded by its own length and its values'.
    """

    __slots__ = ("_compiled", "_plain", "_where", "variables")

    def __init__(
        self,
        compiled: jinja2.Template,
        plain: "_PlainText | None",
        variables: frozenset[str],
        *,
        where: str,
    ) -> None:
        self._compiled = compiled
        self._plain = plain
        self.variables = variables
        self._where = where

    @classmethod
    def compile(cls, source: str, *, html: bool, where: str) -> Self:
        """Return the compiled template; raises InputError that names *where*, line and fault."""
        environment = _environment(html=html)
        try:
            tree = environment.parse(source)
            _check(tree)
            variables = frozenset(meta.find_undeclared_variables(tree))
            plain = _PlainText.of(tree, html=html)
            return cls(environment.from_string(tree), plain, variables, where=where)
        except jinja2.TemplateSyntaxError as error:
            msg = f"{where}, line {error.lineno}: {_sentence(error.message)}"
            raise InputError(msg) from None
        except (RecursionError, SyntaxError, ValueError):
            # Python's message is about code that Jinja generated, and would help nobody.
            msg = f"{where}: the template is nested too deeply or holds a number that is too long"
            raise InputError(msg) from None

    def render(self, template_values: Mapping[str, str]) -> str:
        """Fill the template; raises PermanentError if it can't be filled with these *values*."""
        compiled, plain = self._compiled, self._plain
        try:
            if plain is not None:
                return _join(plain.fill(template_values))
            # "shared" leaves out Jinja's globals (range, lipsum, ...), and saves a copy.
            context = compiled.new_context(dict(template_values), shared=True)
            return _join(compiled.root_render_func(context))
        except Exception as error:  # noqa: BLE001 - a template can fail in any way Python can
            failure = type(error).__name__
        # Raised out here, because the text of what failed may quote a value, such as the link.
        detail = f"{self._where} cannot be filled for this recipient ({failure})"
        code = "template_error"
        raise PermanentError(code, detail)


class _PlainText:
    """
    A template of nothing but text and names, as most are; it is filled without Jinja.

    That takes a sixth of the time, and every message pays it two or three times.
    """

    def __init__(self, pieces: list[str], names: list[tuple[int, str]], *, html: bool) -> None:
        self._pieces = pieces
        self._names = names
        self._html = html

    @classmethod
    def of(cls, tree: nodes.Template, *, html: bool) -> "_PlainText | None":
        """Return the template in this form; None if there is more to it."""
        pieces: list[str] = []
        names: list[tuple[int, str]] = []
        for output in tree.body:
            for node in output.nodes if isinstance(output, nodes.Output) else [output]:
                if isinstance(node, nodes.Name):
                    names.append((len(pieces), node.name))
                elif not isinstance(node, nodes.TemplateData):
                    return None
                pieces.append(node.data if isinstance(node, nodes.TemplateData) else "")
        return cls(pieces, names, html=html)

    def fill(self, template_values: Mapping[str, str]) -> list[str]:
        """Return the pieces with the values in their places; raises KeyError."""
        pieces = self._pieces.copy()
        for at, name in self._names:
            pieces[at] = escape(template_values[name]) if self._html else template_values[name]
        return pieces


def template_values(recipient: Recipient, link: str) -> dict[str, str]:
    """Return what templates may use: the row's columns, and the standard fields over them."""
    return {
        **recipient.variables,
        "id": recipient.id,
        "email": recipient.email,
        "phone": recipient.phone,
        "name": recipient.name,
        "locale": recipient.locale,
        "timezone": recipient.timezone,
        "link": link,
    }


@cache
def _environment(*, html: bool) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(autoescape=html, undefined=jinja2.StrictUndefined)
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


def _join(chunks: Iterable[str]) -> str:
    size = 0
    kept = []
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_RENDERED:
            raise OverflowError
        kept.append(chunk)
    return "".join(kept)


def _check(tree: nodes.Template) -> None:
    for node in _descendants(tree):
        reason = _refusal(node)
        if reason:
            raise jinja2.TemplateSyntaxError(reason, node.lineno)
    _check_assignments(tree)


def _descendants(node: nodes.Node) -> Iterable[nodes.Node]:
    for child in node.iter_child_nodes():
        # A permitted method and its call are one step: neither half is judged alone.
        if isinstance(node, nodes.Call) and child is node.node and _is_method(node):
            yield from _descendants(child)
        else:
            yield child
            yield from _descendants(child)


def _is_method(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Getattr) and call.node.attr in _METHODS


def _refusal(node: nodes.Node) -> str | None:
    """Return why *node* may not stand in a template, or None if it may."""
    reason = None
    match node:
        case nodes.Call():
            reason = None if _is_method(node) else f"{_name(node.node)}() cannot be called here"
        case nodes.For() if node.recursive or any(node.find_all(nodes.For)):
            reason = "a loop within a loop cannot be used here"
        case nodes.Getattr(node=nodes.Name(name="loop")):
            pass
        case nodes.Getattr():
            reason = f'columns are plain text and have no part called "{node.attr}"'
        case nodes.Getitem():
            reason = _refused_index(node.arg)
        case _ if not isinstance(node, _ALLOWED) or _name(node) == "self":
            reason = f"{_name(node)} cannot be used here"
        case _:
            pass
    return reason


def _name(node: nodes.Node) -> str:
    """Return what people call *node*: its name, its operator, or else its kind."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", " ", type(node).__name__).lower()
    names = (getattr(node, field, None) for field in ("operator", "name", "attr"))
    return next((name for name in names if isinstance(name, str)), kind)


def _refused_index(index: nodes.Node) -> str | None:
    number = index.node if isinstance(index, nodes.Neg) else index
    if isinstance(index, nodes.Slice) or (
        isinstance(number, nodes.Const) and isinstance(number.value, int)
    ):
        return None
    return "only numbers can stand in square brackets, as in name[0]"


def _check_assignments(tree: nodes.Template) -> None:
    # `set a = a ~ a`, forty times, would be a message of a terabyte.
    assigned: set[str] = set()
    for node in tree.find_all(nodes.Assign):
        names = list(node.find_all(nodes.Name))
        assigned |= {name.name for name in names if name.ctx == "store"}
        if any(name.ctx == "load" and name.name in assigned for name in names):
            reason = "set can't use what was itself set"
            raise jinja2.TemplateSyntaxError(reason, node.lineno)


def _sentence(message: str | None) -> str:
    return (message or "the template cannot be read").rstrip(".")
