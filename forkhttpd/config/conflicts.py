"""Keys that are right by themselves and wrong together.

These read the document as it was written, not the typed tables, so that they are found also in a
file that has other errors; what has the wrong type is passed over here, it was reported elsewhere.
"""

import ipaddress
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from forkhttpd.config.lines import Position
from forkhttpd.config.phrases import meant, quoted
from forkhttpd.config.places import default
from forkhttpd.config.source import Finding, Source
from forkhttpd.config.tables import KIND, Listen
from forkhttpd.config.values import Address, parse_address

_OF_FILES = {"listing", "fallback", "precompressed", "expires", "charset"}
_OF_PROGRAMS = {
    *(
        "suffix",
        "interpreter",
        "interpreters",
        "pool",
        "processes",
        "env",
        "pass_authorization",
        "background",
    ),
    *("first_byte", "silence", "total", "spool", "drain_grace"),
    *("on_disconnect", "disconnect_grace", "half_close", "sendfile_roots"),
}
_OF_BOTH = {"index", "symlinks", "headers"}
# For each kind of mount, the keys that only other kinds have.
KEYS_OF_OTHERS = {
    "docroot": _OF_PROGRAMS | {"status"},
    "cgi": _OF_FILES | {"status"},
    "redirect": _OF_FILES | _OF_PROGRAMS | _OF_BOTH,
    "show": _OF_FILES | _OF_PROGRAMS | _OF_BOTH | {"status"},
}

Table = tuple[Position, dict[str, Any]]


def findings(source: Source) -> Iterator[Finding]:
    """Yield every contradiction of a document."""
    rules: tuple[Callable[[Source], Iterator[Finding]], ...] = (
        _mount_kinds,
        _same_addresses,
        _keys_of_listeners,
        _certificates,
        _same_names,
        _unreachable_sites,
        _same_mounts,
        _missing_pools,
        _same_fields,
        _names_without_passwords,
        _two_minds,
        _proxies_unknown,
    )
    return chain.from_iterable(rule(source) for rule in rules)


def _mount_kinds(source: Source) -> Iterator[Finding]:
    for position, mount in _mounts(source):
        kinds = [key for key in KEYS_OF_OTHERS if mount.get(key)]
        if len(kinds) == 1:
            for key in sorted(mount.keys() & KEYS_OF_OTHERS[kinds[0]]):
                yield (*position, key), f"means nothing in a mount with {kinds[0]}; remove it"
        elif kinds or not any(meant(key, KEYS_OF_OTHERS) for key in mount):
            yield position, KIND


def _same_addresses(source: Source) -> Iterator[Finding]:
    seen: list[tuple[Address, int]] = []
    for position, _, address in _listeners(source):
        place = (*position, "address")
        for other, line in seen:
            if address == other and address.has_chosen_port:
                wrong = f"line {line} has this address, too, and nobody could tell them apart"
                yield place, f"{wrong}; write a port, or another address"
                break
            if _overlap(address, other):
                yield place, f"{other} of line {line} listens there already; remove one"
                break
        seen.append((address, source.lines[place]))


def _listeners(source: Source) -> Iterator[tuple[Position, dict[str, Any], Address]]:
    """Yield the listeners that have an address that can be read."""
    for position, listen in _tables(source.document, (), "listen"):
        address = _parse_address(listen.get("address"), source.directory)
        if address is not None:
            yield position, listen, address


def _parse_address(text: object, directory: Path) -> Address | None:
    try:
        return parse_address(text, directory)
    except ValueError:
        return None


def _overlap(one: Address, other: Address) -> bool:
    """Whether the kernel would refuse the second: EADDRINUSE.  Port 0 is another each time."""
    kinds = {one.kind, other.kind}
    if kinds & {"unix", "systemd"}:
        return one == other
    if one.port != other.port or not one.port or (len(kinds) == 2 and "dual" not in kinds):
        return False
    hosts = {one.host, other.host}
    has_wildcard = any(ipaddress.ip_address(host).is_unspecified for host in hosts)
    return len(hosts) == 1 or has_wildcard


def _keys_of_listeners(source: Source) -> Iterator[Finding]:
    """Yield keys that mean nothing for the kind of address, or beside one another."""
    for position, listen, address in _listeners(source):
        if address.kind != "unix" or address.host.startswith("@"):
            for key in ("mode", "owner", "group"):
                if listen.get(key) not in (None, default(Listen, key)):
                    yield (*position, key), "means nothing but for a file, unix:/PATH; remove it"
        if listen.get("tls") and listen.get("redirect_to_https"):
            yield (*position, "redirect_to_https"), "this listener is https itself; remove one"


def _certificates(source: Source) -> Iterator[Finding]:
    """Yield listeners for TLS that no site has a certificate for, and the other way round."""
    sites = list(_tables(source.document, (), "site"))
    encrypted = [p for p, listen in _tables(source.document, (), "listen") if listen.get("tls")]
    if not any(site.get("certificate") for _, site in sites):
        for position in encrypted:
            wrong = 'no site has a certificate; write certificate = "FILE.pem" in a [[site]]'
            yield (*position, "tls"), wrong
    for position, site in sites:
        if site.get("certificate") and not encrypted:
            wrong = "no [[listen]] speaks TLS; write tls = true there, or remove this"
            yield (*position, "certificate"), wrong
        if site.get("key") and not site.get("certificate"):
            yield (*position, "key"), "means nothing without a certificate; write that, too"


def _same_names(source: Source) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for position, site in _tables(source.document, (), "site"):
        for index, name in enumerate(_list(site.get("names"))):
            place = (*position, "names", index)
            if not isinstance(name, str):
                continue
            if name.lower() in seen:
                wrong = f"{quoted(name)} stands in line {seen[name.lower()]} already; remove one"
                yield place, wrong
            seen.setdefault(name.lower(), source.lines[place])


def _unreachable_sites(source: Source) -> Iterator[Finding]:
    for position, site in list(_tables(source.document, (), "site"))[1:]:
        if not site.get("names"):
            wrong = "missing; only the first site takes all other names, so write the names of this"
            yield (*position, "names"), wrong


def _same_mounts(source: Source) -> Iterator[Finding]:
    """Yield mounts that no request could tell apart: same path, same suffix."""
    for site_position, site in _tables(source.document, (), "site"):
        seen: dict[tuple[str, object], int] = {}
        for position, mount in _tables(site, site_position, "mount"):
            path = mount.get("path", "/")
            if not isinstance(path, str):
                continue
            line = source.lines.get((*position, "path"), source.lines[position])
            for suffix in _list(mount.get("suffix")) or [""]:
                name = (path.rstrip("/"), str(suffix))
                if name in seen:
                    what = f"{quoted(path)} {suffix}".rstrip()
                    yield (
                        (*position, "path"),
                        f"{what} is the mount of line {seen[name]} already; write another path",
                    )
                seen.setdefault(name, line)


def _missing_pools(source: Source) -> Iterator[Finding]:
    pools = source.document.get("pool", {})
    names = ["default", *pools] if isinstance(pools, dict) else ["default"]
    for position, mount in _mounts(source):
        name = mount.get("pool")
        if isinstance(name, str) and name not in names:
            hint = meant(name, names) or f"; write [pool.{name}], or one of {', '.join(names)}"
            yield (*position, "pool"), f"there is no pool {quoted(name)}{hint}"


def _same_fields(source: Source) -> Iterator[Finding]:
    """Yield fields that an answer would have twice."""
    for position, mount in _mounts(source):
        headers = mount.get("headers")
        names = [name.lower() for name in headers] if isinstance(headers, dict) else []
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield (*position, "headers"), f"{quoted(name)} stands here twice; remove one"
        if mount.get("expires") and "cache-control" in names:
            wrong = 'headers have "Cache-Control", which this writes; remove one of them'
            yield (*position, "expires"), wrong


def _names_without_passwords(source: Source) -> Iterator[Finding]:
    """Yield who may come in where nobody is asked: what seems shut would be open."""
    for site_position, site in _tables(source.document, (), "site"):
        inherited = site.get("password_file")
        mounts = list(_tables(site, site_position, "mount"))
        files = [mount.get("password_file", "site") for _, mount in mounts]
        asked = [inherited if file == "site" else file for file in files]
        tables = [(site_position, site), *mounts]
        for (position, table), file in zip(tables, [any(asked), *asked], strict=True):
            for key in ("users", "realm"):
                if table.get(key) and not file:
                    wrong = "means nothing without a password, so everybody comes in"
                    yield (*position, key), f'{wrong}; write password_file = "FILE"'


def _two_minds(source: Source) -> Iterator[Finding]:
    """Yield networks that are allowed and denied at once."""
    for position, table in chain(_tables(source.document, (), "site"), _mounts(source)):
        allowed = [one for one in _list(table.get("allow")) if isinstance(one, str)]
        for index, network in enumerate(_list(table.get("deny"))):
            if network in allowed:
                place = (*position, "deny", index)
                yield place, f"{quoted(network)} is allowed as well; remove one of them"


def _proxies_unknown(source: Source) -> Iterator[Finding]:
    """Yield listeners for a proxy where none is trusted: nobody could connect."""
    for position, listen in _tables(source.document, (), "listen"):
        if listen.get("proxy_protocol") is True and not source.document.get("trusted_proxies"):
            wrong = "nobody is trusted to say who the client is"
            hint = 'write trusted_proxies = ["ADDRESS OF THE PROXY"] at the top of the file'
            yield (*position, "proxy_protocol"), f"{wrong}; {hint}"


def _mounts(source: Source) -> Iterator[Table]:
    for position, site in _tables(source.document, (), "site"):
        yield from _tables(site, position, "mount")


def _tables(parent: dict[str, Any], position: Position, key: str) -> Iterator[Table]:
    """Yield the tables of an array of tables, as far as they are tables."""
    for index, table in enumerate(_list(parent.get(key))):
        if isinstance(table, dict):
            yield (*position, key, index), table


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
