"""Perl with CGI.pm, the module that CGI was written with for twenty years (C18)."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.live.daemon import Daemon
from tests.programs.curl import curl
from tests.programs.peers import need

PICTURE = os.urandom(1 << 20)
DIGEST = hashlib.md5(PICTURE).hexdigest()

GUESTBOOK = r"""#!/usr/bin/perl
use strict; use warnings; use utf8;
use CGI qw(-utf8);
use Digest::MD5;

my $query = CGI->new;
if ($query->param('away')) {
    print $query->redirect(-uri => $query->url(-path_info => 1) . '?from=away', -status => 303);
    exit;
}
my $cookie = $query->cookie(-name => 'visits', -value => ($query->cookie('visits') || 0) + 1);
print $query->header(-type => 'text/plain', -charset => 'utf-8', -cookie => $cookie);
binmode STDOUT, ':encoding(UTF-8)';
print 'method ', $query->request_method, "\n";
print 'path ', $query->path_info, "\n";
print "$_=", join('|', $query->multi_param($_)), "\n" for sort $query->multi_param;
print 'visits ', $query->cookie('visits') || 0, "\n";
if (my $file = $query->upload('picture')) {
    binmode $file;
    print 'md5 ', Digest::MD5->new->addfile($file)->hexdigest, "\n";
}
"""


@pytest.fixture(scope="module")
def guestbook(served: Daemon) -> str:
    """The address of a script with CGI.pm."""
    need("/usr/share/perl5/CGI.pm", package="libcgi-pm-perl")
    served.script("guestbook.pl", GUESTBOOK)
    return f"http://127.0.0.1:{served.port}/cgi-bin/guestbook.pl"


def test_C18_perl_query(guestbook: str) -> None:
    lines = curl(f"{guestbook}/a/b?name=Zo%C3%AB&colour=red&colour=blue").text.splitlines()
    assert lines == ["method GET", "path /a/b", "colour=red|blue", "name=Zoë", "visits 0"]


def test_C18_perl_form(guestbook: str) -> None:
    lines = curl(guestbook, "--data-urlencode", "name=Zoë & <Ümit>").text.splitlines()
    assert lines == ["method POST", "path ", "name=Zoë & <Ümit>", "visits 0"]


def test_C18_perl_upload(guestbook: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(PICTURE)
    form = ("-F", f"picture=@{picture}", "-F", "title=Sunset")
    for framing in ((), ("-H", "Transfer-Encoding: chunked")):
        lines = curl(guestbook, *form, *framing).text.splitlines()
        assert "picture=picture.png" in lines
        assert "title=Sunset" in lines
        assert lines[-1] == f"md5 {DIGEST}"


def test_C18_perl_cookie_and_redirect(guestbook: str, tmp_path: Path) -> None:
    jar = ("-c", tmp_path / "jar", "-b", tmp_path / "jar")
    assert "visits 0" in curl(guestbook, *jar).text
    assert "visits 1" in curl(guestbook, *jar).text
    away = curl(f"{guestbook}?away=1")
    assert (away.status, away.fields["location"]) == (303, f"{guestbook}?from=away")
    assert "from=away" in curl(f"{guestbook}?away=1", "-L").text
