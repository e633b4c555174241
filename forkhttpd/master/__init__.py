"""The process manager: knows processes, signals, listeners, the PID file, systemd; no HTTP.

master.py       the shell: one poll, one event at a time
policy.py       what to do about it, pure; with events.py and actions.py, its two languages
roster.py       a generation as the policy sees it: crews, and who is missing
child.py        a child as the policy sees it: its state, and what follows when it lasts too long
generation.py   a generation as it is: listeners, logs, doors
generations.py  all that are open
listener.py     bind, or take over from systemd
birth.py        a child's first moments, between fork and its program
orphans.py      the programs of a dead spawner
pidfile.py      a lock that says who holds it
daemon.py       detach, and tell the launching command how it went
systemd.py      LISTEN_FDS and sd_notify
"""
