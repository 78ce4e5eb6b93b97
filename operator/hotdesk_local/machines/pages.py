"""What a machine's web editor shows. Everything that came from outside is escaped."""

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{machine}</title>
<style>
body {{ font: 16px system-ui; margin: 2rem auto; max-width: 50rem }}
textarea {{ width: 100%; height: 16rem }}
</style>
</head>
<body>
<h1>Machine {machine}</h1>
<p>Folder: <code>{folder}</code></p>
<h2>Files</h2>
<ul>
{files}
</ul>
<h2>Edit</h2>
<p><input id="name" placeholder="notes.txt"> <button id="load">Load</button> <button id="save">Save</button>
<span id="said"></span></p>
<textarea id="text"></textarea>
<script>
const at = () => "/files/" + document.getElementById("name").value.split("/").map(encodeURIComponent).join("/");
const text = document.getElementById("text"), said = document.getElementById("said");
document.getElementById("load").onclick = async () => {{
  const answer = await fetch(at());
  text.value = answer.ok ? await answer.text() : "";
  said.textContent = answer.statusText;
}};
document.getElementById("save").onclick = async () => {{
  const answer = await fetch(at(), {{ method: "PUT", body: text.value }}); said.textContent = answer.statusText;
}};
</script>
</body>
</html>
"""


def editor(*, machine: str, folder: str, files: Iterable[str]) -> str:
    """Return the page."""
    lines = (f'<li><a href="/files/{escape(quote(name))}">{escape(name)}</a></li>' for name in files)
    return _PAGE.format(machine=escape(machine), folder=escape(folder or "(none)"), files="\n".join(lines))
