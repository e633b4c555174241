#!/usr/bin/env perl
# The same in Perl, without any module.

use strict;
use warnings;

my $counted = join ", ", map { $_ ** 2 } 1 .. 10;

print <<"END";
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Perl</title>
<link rel="stylesheet" href="/style.css">
<main class="page">
  <h1>Hello from Perl</h1>
  <p>Perl $^V on $^O sends its regards and the first ten squares: $counted.</p>
  <p><a href="/">Back to the ladder</a></p>
</main>
END
