#!/usr/bin/env python3
"""Roll dice: /htbin/dice.py/3 rolls three. What follows a script's name is its PATH_INFO."""

import os
import random
from urllib.parse import quote

MOST = 12

wanted = os.environ.get("PATH_INFO", "").strip("/")
count = int(wanted) if wanted in map(str, range(1, MOST + 1)) else 1
dice = [random.randint(1, 6) for _ in range(count)]
faces = " ".join(chr(ord("⚀") + eyes - 1) for eyes in dice)
script = quote(os.environ["SCRIPT_NAME"])

print(f"""\
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dice</title>
<link rel="stylesheet" href="/style.css">
<main class="page">
  <h1>You rolled {sum(dice)}</h1>
  <p class="dice" role="img" aria-label="{dice}">{faces}</p>
  <p><a class="button" href="{script}/{count}">Roll again</a>
     <a class="button" href="{script}/{min(count + 1, MOST)}">One more die</a></p>
  <p class="quiet small">The number of dice is the end of the path:
  <code>{script}</code>, then <code>/{count}</code>.</p>
  <p><a href="/">Back to the ladder</a></p>
</main>""")
