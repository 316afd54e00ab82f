"""The frame of the track's reports: one file, no scripts, nothing loaded, light or dark as the reader likes.

Everything that comes from data goes through `text`; nothing else may reach a page.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_CSS = """
:root { color-scheme: light dark; --page: #f5f6f7; --panel: #fff; --line: #d9dde1; --text: #1b2127;
  --muted: #57616b; --done: #1a7a3c; --failed: #bf2a22; --warning: #8a5800; --accent: #0a63c0; }
@media (prefers-color-scheme: dark) {
  :root { --page: #111417; --panel: #181c20; --line: #2a3037; --text: #e4e8eb;
    --muted: #9aa5af; --done: #62c283; --failed: #f2837a; --warning: #e2ae52; --accent: #6cb2f2; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1280px; padding: 24px 16px; background: var(--page); color: var(--text);
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, Arial, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 24px 0 8px; }
p { margin: 0 0 8px; } ul { margin: 4px 0 8px; padding-left: 20px; }
td ul { min-width: 220px; margin-top: 0; }
.muted { color: var(--muted); } .keep { color: var(--done); } .drop { color: var(--failed); }
.warn { color: var(--warning); }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 4px 10px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; } th { font-size: 12px; color: var(--muted); font-weight: 600; }
td.n, th.n { text-align: right; white-space: nowrap; }
details { margin: 8px 0; padding: 8px 12px; background: var(--panel); border: 1px solid var(--line);
  border-radius: 4px; }
summary { cursor: pointer; } details .scroll { margin-top: 8px; }
"""


def text(value: object) -> str:
    """Escape anything for a page."""
    return html.escape(str(value), quote=True)


def number(value: float | int | None, digits: int = 4) -> str:
    """A number as a reader likes it; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}"


def page(title: str, lead: str, body: Iterable[str]) -> str:
    """A whole page; `lead` is plain text, `body` finished markup."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{text(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
        f'<h1>{text(title)}</h1>\n<p class="muted">{text(lead)}</p>\n'
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: int) -> str:
    """A table of finished cells; the last `numeric` columns are numbers and go to the right."""
    first = len(heads) - numeric

    def line(tag: str, cells: Sequence[str]) -> str:
        marked = (f"<{tag}{' class=n' if i >= first else ''}>{cell}</{tag}>" for i, cell in enumerate(cells))
        return f"<tr>{''.join(marked)}</tr>"

    body = "\n".join(line("td", row) for row in rows)
    head = line("th", [text(head) for head in heads])
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>\n{body}\n</tbody></table></div>'


def listing(items: Iterable[str], style: str = "") -> str:
    """A list of plain sentences; empty text for none."""
    marks = "".join(f"<li>{text(item)}</li>" for item in items)
    return f'<ul class="{style}">{marks}</ul>' if marks else ""
