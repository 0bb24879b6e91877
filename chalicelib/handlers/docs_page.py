"""The description of the API as one HTML page: every operation, its parameters and its answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2.5rem 0 .25rem; }
h3 a { color: inherit; text-decoration: none; }
code, pre { font: .875em/1.5 ui-monospace, monospace; background: var(--soft); }
code { padding: .1em .3em; }
pre { padding: .75rem; overflow-x: auto; }
pre code { padding: 0; background: none; font-size: 1em; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td { border-top: 1px solid var(--line); padding: .3rem .75rem .3rem 0; vertical-align: top; }
td:first-child { white-space: nowrap; }
.kind { opacity: .7; font-size: .875em; }
nav { columns: 14rem; }
nav a { display: block; }
"""

_CODE = re.compile(r"`([^`]+)`")
_Json = Mapping[str, Any]


def page(document: _Json) -> str:
    """Return the whole page."""
    info = document["info"]
    parts = [
        f"<h1>{escape(info['title'])} API</h1>",
        _text(info["description"]),
        f"<p>Base URL <code>{escape(document['servers'][0]['url'])}</code>, version "
        f"{escape(info['version'])}. For programs: <a href='openapi.json'>openapi.json</a>.</p>",
        _contents(document),
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2>{_text(tag['description'])}")
        parts += [_operation(document, *each) for each in _operations(document, tag["name"])]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _operations(document: _Json, tag: str) -> Iterator[tuple[str, str, _Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield method.upper(), path, operation


def _contents(document: _Json) -> str:
    links = [
        f"<a href='#{operation['operationId']}'>{escape(operation['summary'])}</a>"
        for tag in document["tags"]
        for _, _, operation in _operations(document, tag["name"])
    ]
    return f"<nav>{''.join(links)}</nav>"


def _operation(document: _Json, method: str, path: str, operation: _Json) -> str:
    name = operation["operationId"]
    parts = [
        f"<h3 id='{name}'><a href='#{name}'>{escape(operation['summary'])}</a></h3>",
        f"<p><code>{method} {escape(path)}</code> <span class='kind'>{name}</span></p>",
        _text(operation["description"]),
    ]
    parameters = [_parameter(each) for each in operation.get("parameters", ())]
    if parameters:
        parts.append(_table(parameters))
    body = operation.get("requestBody")
    if body:
        content = body["content"]["application/json"]
        parts.append("<p>Body</p>" + _table(_fields(document, content["schema"])))
        if "example" in content:
            shown = json.dumps(content["example"], ensure_ascii=False)
            parts.append(f"<pre><code>{escape(shown, quote=False)}</code></pre>")
    rows = [_answer(status, each) for status, each in operation["responses"].items()]
    parts.append("<p>Answers</p>" + _table(rows))
    return "\n".join(parts)


def _parameter(parameter: _Json) -> tuple[str, str, str]:
    kind = "required" if parameter.get("required") else parameter["in"]
    return parameter["name"], f"{_kind(parameter['schema'])}, {kind}", parameter["description"]


def _fields(document: _Json, schema: _Json) -> list[tuple[str, str, str]]:
    whole = _resolved(document, schema)
    required = whole.get("required", ())
    return [
        (
            name,
            _kind(_resolved(document, field)) + (", required" if name in required else ""),
            field.get("description", ""),
        )
        for name, field in whole.get("properties", {}).items()
    ]


def _answer(status: str, answer: _Json) -> tuple[str, str, str]:
    content: _Json = next(iter(answer.get("content", {}).values()), {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return status, "" if name == "Problem" else name, answer["description"]


def _resolved(document: _Json, schema: _Json) -> _Json:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: _Json = document["components"]["schemas"][name] if name else schema
    return found


def _kind(schema: _Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = str(schema.get("type", "object"))
    bounds = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    return f"{kind} {' to '.join(bounds)}" if bounds else kind


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td class='kind'>{escape(kind)}</td>"
        f"<td>{_inline(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table>{cells}</table>"


def _text(text: str) -> str:
    return "".join(f"<p>{_inline(each)}</p>" for each in text.split("\n\n") if each)


def _inline(text: str) -> str:
    """Return text as HTML: `code` becomes an element, lines that begin with `- ` become lines of
    their own.
    """
    shown = _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"^- ", "", shown).replace("\n- ", "<br>")
