"""Password files, with hashes that other programs made (crypt(3), openssl passwd)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.access import htpasswd

PASSWORD = "s\xe9cret word".encode()
HASHES = {
    "bcrypt 2y": b"$2y$04$abcdefghijklmnopqrstuukCNRe6jFwG747jDXnMFtZ2AQzoSsWvO",
    "bcrypt 2b": b"$2b$04$abcdefghijklmnopqrstuukCNRe6jFwG747jDXnMFtZ2AQzoSsWvO",
    "bcrypt 2a": b"$2a$04$abcdefghijklmnopqrstuukCNRe6jFwG747jDXnMFtZ2AQzoSsWvO",
    "sha512": b"$6$rounds=1000$saltsalt$V78ZLPw5QiWLUISQIISxRc5O4i6siQXQhUhAvQQMxKc9fYlUiuwHaeRUlQ"
    b"ESrSMqwujdVIm60MNgqwN2zLHhc1",
    "sha256": b"$5$rounds=1000$saltsalt$yuh13uTo8hzxmMKuGjHtxstghiplVvartMdQO3V38d/",
    "apr1": b"$apr1$saltsalt$xFy5gGOAYOjeUtJLZRabS0",
    "md5": b"$1$saltsalt$n4fExxOxXHoptsEa8e6XE0",
    "sha1": b"{SHA}1redAMU1Si1yCG0zYyDqOmt2Igo=",
    "des": b"abGZIgVyRL4wQ",
}
KNOWN = htpasswd.load_verifiers()


@pytest.mark.parametrize("kind", HASHES)
def test_every_kind_of_hash(kind: str) -> None:
    hashed = HASHES[kind]
    assert htpasswd.verify(PASSWORD, hashed, KNOWN)
    for wrong in (b"", PASSWORD[:5], PASSWORD.upper(), b"x" * 1024):
        assert not htpasswd.verify(wrong, hashed, KNOWN)


def test_of_a_long_password_bcrypt_sees_what_htpasswd_saw() -> None:
    hashed = b"$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"  # of 80 times "x"
    assert htpasswd.verify(b"x" * 80, hashed, KNOWN)
    assert not htpasswd.verify(b"x" * 71, hashed, KNOWN)


@pytest.mark.parametrize("hashed", [b"secret", b"", b"$2y$", b"$9$x$y", b"{SSHA}abc", b"{sha}x"])
def test_no_password_is_its_own_hash(hashed: bytes) -> None:
    with_name = htpasswd.parse(b"alice:" + hashed)
    if with_name.hashes:  # "$2y$" begins like one
        with pytest.raises(ValueError, match=r"."):
            htpasswd.verify(hashed, hashed, KNOWN)
    else:
        assert len(with_name.problems) == 1
        assert not htpasswd.verify(hashed, hashed, KNOWN)


def test_a_file() -> None:
    apr1, des = HASHES["apr1"], HASHES["des"]
    content = b"\n".join(
        [
            b"# who may come in",
            b"",
            b"  alice:" + apr1 + b"  ",
            b"bob:" + des + b":Bob:more\r",
            b"alice:" + des,
            b"carol",
            b":" + des,
            b"dave:plain",
            b"al\xc3\xadce b:" + des,
        ]
    )
    file = htpasswd.parse(content)
    assert file.hashes == {b"alice": apr1, b"bob": des, b"al\xc3\xadce b": des}
    assert [problem.partition(":")[0] for problem in file.problems] == [
        "line 6",
        "line 7",
        "line 8",
    ]
    assert file.ordered == (apr1, des, des)
    assert not any("plain" in problem for problem in file.problems)


NAMES = [f"name{number}".encode() for number in range(500)]


def drawn(*hashes: bytes) -> list[bytes]:
    """Return which hash stands in for each of the names, in a file of these."""
    lines = (b"user%d:%s" % line for line in enumerate(hashes))
    file = htpasswd.parse(b"\n".join(lines))
    return [found for name in NAMES if (found := file.stand_in(name))]


def test_for_unknown_names_each_hash_of_the_file_stands_in_about_as_often() -> None:
    hashes = (HASHES["sha1"], HASHES["bcrypt 2y"], HASHES["des"], HASHES["apr1"])
    found = drawn(*hashes)
    assert all(80 < found.count(hashed) < 170 for hashed in hashes)
    assert drawn(*reversed(hashes)) == found
    assert htpasswd.parse(b"").stand_in(b"nobody") is None


def test_another_user_changes_what_stands_in_for_few_names() -> None:
    cheap = [HASHES["apr1"][:-1] + bytes([letter]) for letter in b"abcdefghij"]
    dear = [HASHES["bcrypt 2y"][:-1] + bytes([letter]) for letter in b"abcdefghij"]
    before = drawn(*cheap, *dear)
    after = drawn(*cheap, *dear, HASHES["bcrypt 2y"][:-1] + b"z")
    changed = [
        name
        for name, *pair in zip(NAMES, before, after, strict=True)
        if len(set(map(htpasswd.kind_of, pair))) > 1
    ]
    assert 0 < len(changed) < 40  # of 500; drawn anew, half of them would change


@given(
    st.binary() | st.lists(st.sampled_from([b"a", b":", b"\n", b"#", b"$1$", b" "])).map(b"".join)
)
def test_no_content_raises(content: bytes) -> None:
    file = htpasswd.parse(content)
    assert all(htpasswd.kind_of(hashed) for hashed in file.hashes.values())
