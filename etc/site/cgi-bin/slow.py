#!/usr/bin/env python3
"""Write a line a second: each is on its way as soon as it is flushed."""

import time

LINES = 5

print("""\
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A slow program</title>
<link rel="stylesheet" href="/style.css">
<body class="stream">
<main>""")

for number in range(1, LINES + 1):
    print(f"<p>Line {number} of {LINES}, written at {time.strftime('%H:%M:%S')}", flush=True)
    time.sleep(1)

print("<p>That was all.\n</main>")
