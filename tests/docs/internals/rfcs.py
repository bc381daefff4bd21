"""Which section of which RFC the code goes by, and where: read off its comments and docstrings."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from tests.support.root import ROOT

FOLDERS = ("channels", "config", "pipeline", "sandbox", "worker")
TITLES: Mapping[int, str] = {
    2034: "SMTP: enhanced error codes",
    2045: "MIME: format of bodies",
    2046: "MIME: media types",
    2047: "MIME: headers beyond ASCII",
    2920: "SMTP: command pipelining",
    3207: "SMTP over TLS (STARTTLS)",
    3463: "Enhanced mail system status codes",
    3464: "Delivery status notifications",
    3886: "Message tracking",
    4954: "SMTP: authentication",
    5321: "SMTP",
    5322: "Internet message format",
    6531: "SMTP: internationalized e-mail",
    6533: "Internationalized delivery status notifications",
    6647: "Greylisting",
    7372: "Status codes of e-mail authentication",
    7505: "Null MX",
    8058: "One-click unsubscribing",
    9110: "HTTP semantics",
}
_NUMBER = r"\d+(?:\.\d+)*"
_CITED = re.compile(rf"\bRFC (\d+)(?:,? \(?sections?|,)? ?({_NUMBER}(?: and {_NUMBER})*)?")


class _Text(ast.Expr):
    value: ast.Constant


@dataclass(frozen=True, slots=True, order=True)
class Citation:
    """One section of an RFC (empty: all of it), and the file and the name that cite it."""

    rfc: int
    section: tuple[int, ...]
    file: str
    name: str


def citations(folders: tuple[str, ...] = FOLDERS, root: Path = ROOT) -> set[Citation]:
    """Return all citations in the Python files below *folders*."""
    return {
        Citation(rfc, section, path.relative_to(root).as_posix(), name)
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
        for name, said in said_by(path.read_text("utf-8"))
        for rfc, section in cited(said)
    }


def cited(text: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield every RFC that *text* cites, with its section, or with an empty one."""
    for found in _CITED.finditer(" ".join(text.split())):
        sections = re.findall(_NUMBER, found[2] or "") or [""]
        for section in sections:
            yield int(found[1]), tuple(map(int, filter(None, section.split("."))))


def said_by(source: str) -> Iterator[tuple[str, str]]:
    """Yield all comments and docstrings, each with the function, class or value it belongs to."""
    tree = ast.parse(source)
    yield "", ast.get_docstring(tree) or ""
    owners = list(_owners(tree.body, ""))
    for line, text in (*_comments(source), *_texts(tree)):
        around = [name for first, last, name in owners if first <= line <= last]
        after = [name for first, _, name in owners if first > line]
        yield (around[-1] if around else after[0] if after else ""), text


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the comments with their lines; those that stand below each other are one."""
    last, said = 0, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, words = token.start[0], token.string.lstrip("# ")
            if not (said and line == last + 1 and token.line.lstrip().startswith("#")):
                yield last, said
                said = ""
            last, said = line, f"{said} {words}"
    yield last, said


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield every text that stands by itself, but for the module's own."""
    for node in ast.walk(tree):
        if _is_text(node) and node is not tree.body[0]:
            yield node.lineno, str(node.value.value)


def _owners(body: list[ast.stmt], outer: str) -> Iterator[tuple[int, int, str]]:
    """Yield first line, last line and name of what is defined; what is inside comes after it."""
    for node, following in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                name = f"{outer}{node.name}"
                yield node.lineno, node.end_lineno or node.lineno, name
                yield from _owners(node.body, f"{name}.")
            case (
                ast.Assign(targets=[ast.Name(id=value)]) | ast.AnnAssign(target=ast.Name(id=value))
            ):
                last = following if _is_text(following) else node
                yield node.lineno, last.end_lineno or node.lineno, f"{outer}{value}"
            case _:
                pass


def _is_text(node: ast.AST | None) -> TypeGuard[_Text]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def markdown() -> str:
    """Return the index: each section once, with all that go by it."""
    places: dict[tuple[int, tuple[int, ...]], list[Citation]] = defaultdict(list)
    for each in sorted(citations()):
        places[each.rfc, each.section].append(each)
    rows = ["| RFC | section | where |", "|---|---|---|"]
    for (rfc, section), found in places.items():
        where = "<br>".join(_shown(each) for each in found)
        rows.append(f"| {_link(rfc)} | {_section_link(rfc, section)} | {where} |")
    return "\n".join(rows)


def _link(rfc: int) -> str:
    return f"[{rfc}](https://www.rfc-editor.org/rfc/rfc{rfc}) {TITLES[rfc]}"


def _section_link(rfc: int, section: tuple[int, ...]) -> str:
    if not section:
        return "all of it"
    number = ".".join(map(str, section))
    return f"[{number}](https://www.rfc-editor.org/rfc/rfc{rfc}#section-{number})"


def _shown(each: Citation) -> str:
    return f"`{each.file}`: `{each.name}`" if each.name else f"`{each.file}`"
