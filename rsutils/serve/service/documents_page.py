"""The OpenAPI document as a page that runs no script and fetches nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from rsutils.serve.service.admission import POLICY as STRICT

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#eee;padding:.1em .3em}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.2rem .6rem;text-align:left;vertical-align:top}"
    "h2{margin-top:2.5rem}"
)
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"{STRICT}; style-src 'sha256-{_DIGEST}'"


def as_html(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as a page that needs no script."""
    parts = [f"<h1>{escape(document['info']['title'])}</h1>"]
    parts.append(f"<p>{escape(document['info']['description'])}</p>")
    parts.append('<p>For programs: <a href="/openapi.json">openapi.json</a></p>')
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(method, path, operation)
    parts.append("<h1>Bodies</h1>")
    for name, each in sorted(document["components"]["schemas"].items()):
        parts.append(f'<h2 id="{escape(name)}">{escape(name)}</h2>')
        parts.append(f"<p>{escape(each.get('description', ''))}</p>")
        needed = each.get("required", ())
        rows = [
            (field + (" (required)" if field in needed else ""), _kind(content))
            for field, content in each.get("properties", {}).items()
        ]
        parts.append(_table(("Field", "What it is"), rows))
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Recommendations: calls'
        f"</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> list[str]:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2>"]
    parts.append(f"<p>{escape(operation['summary'])}.</p>")
    given = [
        (f"{each['name']} ({each['in']})", _kind(each["schema"]))
        for each in operation.get("parameters", ())
    ]
    if given:
        parts.append(_table(("Parameter", "What it is"), given))
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<p>Body: {_kind(content)}</p>")
    answered = [
        (status, f"{escape(each['description'])} {_contents(each)}")
        for status, each in sorted(operation["responses"].items())
    ]
    parts.append(_table(("Status", "Answer"), answered))
    return parts


def _contents(response: Mapping[str, Any]) -> str:
    return ", ".join(_kind(each.get("schema", {})) for each in response.get("content", {}).values())


def _kind(each: Mapping[str, Any]) -> str:
    """A schema in a line of HTML."""
    if "$ref" in each:
        name = escape(each["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in each:
        return " or ".join(_kind(one) for one in each["anyOf"])
    if each.get("type") == "object" and "properties" in each:
        # A body that stands in another one stands on the page by itself, too.
        return _kind({"$ref": each["title"]})
    if each.get("type") == "array":
        return f"list of {_kind(each.get('items', {}))}{_bounds(each)}"
    return escape(str(each.get("type", "any"))) + _bounds(each)


def _bounds(each: Mapping[str, Any]) -> str:
    names = ("enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems")
    said = [f"{name} {each[name]}" for name in (*names, "maxItems", "default") if name in each]
    return escape(f" ({', '.join(said)})") if said else ""


def _table(head: Sequence[str], rows: Sequence[tuple[str, str]]) -> str:
    """Rows whose first cell is text and whose second is HTML."""
    cells = "".join(f"<tr><td>{escape(first)}</td><td>{second}</td></tr>" for first, second in rows)
    titles = "".join(f"<th>{escape(each)}</th>" for each in head)
    return f"<table><tr>{titles}</tr>{cells}</table>"
