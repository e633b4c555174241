#!/usr/bin/env python3
"""Greet whoever sent the form: it arrives on standard input, the answer is what we print."""

import html
import os
import sys
from urllib.parse import parse_qs

length = int(os.environ.get("CONTENT_LENGTH") or 0)
form = parse_qs(sys.stdin.buffer.read(length).decode("utf-8", "replace"))
firstname = form.get("firstname", ["stranger"])[0]

print(f"""\
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello</title>
<link rel="stylesheet" href="/style.css">
<main class="page">
  <h1>Hello, <span id="firstname">{html.escape(firstname)}</span>!</h1>
  <p>Your browser sent {length} bytes with <code>{html.escape(os.environ["REQUEST_METHOD"])}</code>.
  A program read them, escaped what they say, and wrote this page.</p>
  <form method="post">
    <label>Another first name
      <input name="firstname" autocomplete="given-name" required>
    </label>
    <button type="submit">Say hello</button>
  </form>
  <p><a href="/">Back to the ladder</a></p>
</main>""")
