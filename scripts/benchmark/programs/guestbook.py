#!/usr/bin/python3
"""A small application: keeps an entry in a database and says it with a mail, unsent."""

import html
import json
import os
import sqlite3
import urllib.parse
from contextlib import closing
from email.message import EmailMessage

query = urllib.parse.parse_qs(os.environ.get("QUERY_STRING", ""))
with closing(sqlite3.connect(":memory:")) as database:
    database.execute("CREATE TABLE entry (name TEXT)")
    database.execute("INSERT INTO entry VALUES (?)", (query.get("name", ["nobody"])[0],))
    [name] = database.execute("SELECT name FROM entry").fetchone()
mail = EmailMessage()
mail["Subject"] = f"{name} was here"
mail.set_content("Nothing else happened.")
body = json.dumps({"greeting": f"Hello, {html.escape(name)}!", "mail": mail["Subject"]}) + "\n"
print("Content-Type: application/json", f"Content-Length: {len(body)}", "", body, sep="\n", end="")
