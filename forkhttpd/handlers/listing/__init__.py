"""A directory as a list: `contents` reads it, `page` shows it to people, `document` to programs.

`template` is the page before it is filled in.
"""
