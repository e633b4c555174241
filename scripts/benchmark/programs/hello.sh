#!/bin/sh
# A shell script as people write them: nothing but what the shell has built in.
body='Hello from a shell script.'
printf 'Content-Type: text/plain\r\n'
printf 'Content-Length: %d\r\n\r\n' $((${#body} + 1))
printf '%s\n' "$body"
