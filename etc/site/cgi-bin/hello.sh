#!/bin/sh
# A head of one line, an empty line, a page: that is all there is to CGI.

cat <<END
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from the shell</title>
<link rel="stylesheet" href="/style.css">
<main class="page">
  <h1>Hello from the shell</h1>
  <p>It is $(date '+%A, %H:%M:%S') on $(uname -sm), and you came by $SERVER_PROTOCOL
  from $REMOTE_ADDR.</p>
  <p><a href="/">Back to the ladder</a></p>
</main>
END
