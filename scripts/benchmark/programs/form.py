#!/usr/bin/python3
"""What a form usually does: reads its field, answers with it in HTML or in JSON."""

import html
import json
import os
import urllib.parse

query = urllib.parse.parse_qs(os.environ.get("QUERY_STRING", ""))
name = query.get("name", ["nobody"])[0]
body = json.dumps({"greeting": f"Hello, {html.escape(name)}!"}) + "\n"
print("Content-Type: application/json", f"Content-Length: {len(body)}", "", body, sep="\n", end="")
