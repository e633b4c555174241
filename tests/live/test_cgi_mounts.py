"""The kinds of mounts that run programs, and that none of them shows its source."""

from tests.live.daemon import SITE, daemon
from tests.live.programs import ENVIRONMENT


def test_one_program_for_a_whole_subtree() -> None:
    config = SITE + '\n[[site.mount]]\npath = "/app/"\ncgi = "program"\n'
    with daemon(config, start=False) as running:
        running.write("program", ENVIRONMENT, mode=0o755)
        running.start()
        text = running.get("/app/some/where?q").text
        assert "SCRIPT_NAME='/app'" in text
        assert "PATH_INFO='/some/where'" in text
        assert f"SCRIPT_FILENAME='{running.directory}/program'" in text


def test_an_interpreter_by_suffix_and_files_beside_it() -> None:
    config = SITE + (
        '\n[[site.mount]]\npath = "/app/"\nsuffix = [".hello"]\ncgi = "www/app"\n'
        'interpreter = "/bin/sh"\n'
    )
    with daemon(config, start=False) as running:
        running.write("www/app/x.hello", "echo 'Content-Type: text/plain\n'\necho \"$PATH_INFO\"\n")
        running.write("www/app/y.txt", "a file")
        running.start()
        assert running.get("/app/x.hello/more").text == "/more\n"
        assert running.get("/app/y.txt").text == "a file"


def test_S11_a_script_is_never_sent_by_any_spelling_under_any_mount() -> None:
    config = SITE.replace('docroot = "www"', 'docroot = "."') + (
        '\n[[site.mount]]\npath = "/app/"\nsuffix = [".secret"]\ncgi = "www/app"\n'
        'interpreter = "/bin/true"\n'
        '\n[[site.mount]]\npath = "/all/"\ndocroot = "."\nlisting = true\n'
    )
    with daemon(config, start=False) as running:
        running.script("source.py", "#!/bin/sh\n# SOURCE\n")
        running.write("www/app/x.secret", "SOURCE")
        running.write("www/other.secret", "SOURCE")
        (running.directory / "www" / "link").symlink_to("../cgi-bin/source.py")
        (running.directory / "www" / "dir").symlink_to("../cgi-bin")
        running.start()
        assert running.get("/www/").status == 200
        for path in (
            "/cgi-bin/source.py",
            "/%63gi-bin/source.py",
            "//cgi-bin//source.py",
            "/./cgi-bin/source.py",
            "/x/../cgi-bin/source.py",
            "/cgi-bin/source.py/",
            "/cgi-bin%2fsource.py",
            "/CGI-BIN/source.py",
            "/all/cgi-bin/source.py",
            "/all//cgi-bin/source.py",
            "/all/www/link",
            "/all/www/dir/source.py",
            "/www/app/x.secret",
            "/all/www/app/x.secret",
            "/all/www/other.secret",
            "/app/x.secret",
            "/app/x.secret/more",
            "/app/%78.secret",
        ):
            reply = running.get(path)
            assert b"SOURCE" not in reply.body, path
            assert reply.status in (400, 403, 404, 502), path
