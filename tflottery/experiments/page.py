"""Page: one HTML file that needs no other, from a title, tables and figures.

Every text that is passed in is escaped here; only `document` takes HTML, made by the others.
"""

import base64
import html

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --text: #1d1f23; --quiet: #5d626b; --line: #dfe0dc;
  --accent: #a8480a; --strong: #fdf3e7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121212; --card: #1c1c1c; --text: #e8e8e4; --quiet: #a6a8ac; --line: #363636;
    --accent: #f0a35e; --strong: #2c2620;
  }
  /* The curves are drawn on white; this turns their lightness and keeps their hues. */
  figure img { filter: invert(0.89) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem clamp(0.8rem, 4vw, 2rem) 4rem; max-width: 56rem;
  background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1 { margin: 0; font-size: clamp(1.6rem, 5vw, 2.3rem); line-height: 1.15; letter-spacing: -0.02em; }
h2 { margin: 2.75rem 0 0.75rem; font-size: 1.2rem; }
.subtitle { margin: 0.4rem 0 1.6rem; color: var(--quiet); }
.card, figure, .scroll {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
}
.verdict { padding: 1.1rem 1.4rem; border-left: 5px solid var(--accent); }
.verdict p { margin: 0.55rem 0; }
.verdict p:first-child { font-size: 1.15rem; font-weight: 600; line-height: 1.4; }
figure { margin: 0 0 1.25rem; padding: clamp(0.4rem, 2vw, 1rem); }
figure img { display: block; width: 100%; max-width: 46rem; height: auto; margin: 0 auto; }
figcaption, .note { color: var(--quiet); font-size: 0.9rem; }
figcaption { margin-top: 0.6rem; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.4rem 0.8rem; border-top: 1px solid var(--line); text-align: left; }
thead th { border-top: 0; color: var(--quiet); font-size: 0.8rem; vertical-align: bottom; }
tbody th { font-weight: 400; }
tbody:first-child tr:first-child > * { border-top: 0; }
td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
table:not(.numbers) th { width: 14rem; }
.numbers td, .numbers tbody th { white-space: nowrap; }
.numbers td, .numbers th + th { text-align: right; }
.emphasised { background: var(--strong); }
.emphasised th { font-weight: 600; }
"""


def document(title, body):
  """HTML page with the text `title` and the parts `body`, which are HTML."""
  parts = "\n".join(body)
  return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
{parts}
</body>
</html>
"""


def element(tag, text, *, kind=None):
  """HTML element `tag` of class `kind` around a text.

  >>> element("p", "1 < 2", kind="note")
  '<p class="note">1 &lt; 2</p>'
  """
  return f"<{tag}{_class(kind)}>{html.escape(text)}</{tag}>"


def verdict_card(sentences):
  """HTML card of sentences, the first of which stands out."""
  # A no-break space, lest a line begin with a percent sign.
  paragraphs = "".join(element("p", text.replace(" %", "\u00a0%")) for text in sentences)
  return f'<section class="card verdict" aria-label="Verdict">{paragraphs}</section>'


def section(title, header, lines):
  """A heading and its table of numbers, where there is anything in it."""
  body = table(lines, header=header, kind="numbers")
  return [element("h2", title), body] if lines else []


def picture(image, *, alt, caption, kind="png"):
  """HTML figure that carries the bytes of an image file, "png" or "gif", within itself."""
  data = base64.b64encode(image).decode("ascii")
  image = f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{data}">'
  return f"<figure>{image}{element('figcaption', caption)}</figure>"


def table(rows, *, header=(), emphasised=(), kind=None):
  """HTML table of texts that scrolls sideways where the screen is narrow.

  Args:
    rows: tuples of texts; the first of each names its row.
    header: names of the columns; none for a table of names and values.
    emphasised: the indices of the rows that stand out.
    kind: class of the table; "numbers" sets all but the first column flush right.
  """
  names = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in header)
  head = f"<thead><tr>{names}</tr></thead>" if header else ""
  body = "\n".join(
    f"<tr{_class('emphasised' if index in emphasised else None)}>"
    f'<th scope="row">{html.escape(first)}</th>'
    + "".join(element("td", text) for text in rest)
    + "</tr>"
    for index, (first, *rest) in enumerate(rows)
  )
  content = f"<table{_class(kind)}>{head}<tbody>\n{body}\n</tbody></table>"
  # Only what has a tab index can be scrolled with the keys.
  return f'<div class="scroll" tabindex="0">{content}</div>'


def _class(kind):
  return f' class="{kind}"' if kind else ""
