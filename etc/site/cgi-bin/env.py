#!/usr/bin/env python3
"""Show everything a CGI program is told: its environment, its arguments, where it runs."""

import html
import os
import sys


def table(rows):
    """Return an HTML table of names and values."""
    cells = (
        f"<tr><th>{html.escape(name)}<td>{html.escape(value)}" for name, value in rows
    )
    return "<table>" + "\n".join(cells) + "</table>"


process = [
    ("arguments", " ".join(sys.argv)),
    ("directory", os.getcwd()),
    ("process", f"{os.getpid()}, started by {os.getppid()}"),
    ("user", f"{os.getuid()}, group {os.getgid()}"),
    ("Python", sys.version.split()[0]),
]

print(f"""\
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What a program sees</title>
<link rel="stylesheet" href="/style.css">
<main class="page">
  <h1>What a program sees</h1>
  <p>The request, told in environment variables (RFC 3875). Nothing of the server's own
  environment is among them.</p>
  {table(sorted(os.environ.items()))}
  <h2>And where it runs</h2>
  {table(process)}
  <p><a href="/">Back to the ladder</a></p>
</main>""")
