"""Ways around a guard: files that one mount keeps for some, and another one shows to others (O2).

Guards are for paths of requests, so what lies in two docroots is guarded by each for itself.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forkhttpd.config.source import Finding
from forkhttpd.config.tables import Config, Mount, Site


def warnings(config: Config) -> Iterator[Finding]:
    """Yield docroots that are guarded, and can be reached by a mount with other guards."""
    for index, site in enumerate(config.site):
        for number, mount in enumerate(site.mount):
            if mount.docroot and any(kept := guards(site, mount)):
                for way, docroot in _ways_around(config, mount.docroot, kept):
                    risk = f"{mount.docroot} is also shown at {way}, and not to the same people"
                    hint = f"move it out of {docroot}, or guard both alike"
                    yield ("site", index, "mount", number, "docroot"), f"{risk}; {hint}"


def guards(site: Site, mount: Mount) -> tuple[Any, ...]:
    """Return who may come in to a mount: nothing but what is empty for everybody."""
    rules = mount if mount.allow or mount.deny else site
    file = site.password_file_of(mount)
    users = (mount.users or site.users) if file else ()
    return set(rules.allow), set(rules.deny), file, set(users)


def _ways_around(
    config: Config, guarded: Path, kept: tuple[Any, ...]
) -> Iterator[tuple[str, Path]]:
    """Yield each path that leads there by a mount with other guards, and the docroot of that."""
    for site in config.site:
        for mount in site.mount:
            path = path_to(guarded, mount)
            if (
                path
                and mount.docroot
                and guards(site, mount) != kept
                and mount_of(site, path) is mount
            ):
                name = site.names[0] if site.names else ""
                yield (f"{name}{path}" if len(config.site) > 1 else path), mount.docroot


def path_to(directory: Path, mount: Mount) -> str:
    """Return the path of a directory as a mount shows it, "" if it does not."""
    if mount.docroot is None:
        return ""
    inside, top = Path(os.path.realpath(directory)), os.path.realpath(mount.docroot)
    if not inside.is_relative_to(top):
        return ""
    steps = inside.relative_to(top).parts
    if any(step.startswith(".") for step in steps):
        return ""
    return "/".join((mount.path.rstrip("/"), *steps, ""))


def mount_of(site: Site, path: str) -> Mount | None:
    """Return the mount that a directory's path belongs to, as the router has it."""
    whole = [mount for mount in site.mount if not mount.suffix]
    found = [mount for mount in whole if path.startswith(mount.path.rstrip("/") + "/")]
    return max(found, key=lambda mount: len(mount.path.rstrip("/")), default=None)
