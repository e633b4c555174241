"""The process manager: knows processes, signals, listeners, the PID file, systemd; no HTTP.

start.py        from the command to a running master
master.py       the shell: one poll, one event at a time
estate.py       what it has from its start on
policy.py       what to do about it, pure; with events.py and actions.py, its two languages
phase.py        where the master is
roster.py       a generation as the policy sees it: crews, and who is missing
family.py       the children that live, as the policy sees them: who is born, who is late
child.py        a child as the policy sees it: its state, and what follows when it lasts too long
reload.py       what a HUP asks for, and the verdict on it
succession.py   the masters before and after us, as the policy sees them
lameduck.py     the time between the word that we stop and the stop, as the policy sees it
herald.py       what the service manager is told, as the policy decides it
scaling.py      how many workers the load asks for
generation.py   a generation as it is: listeners, logs, doors
generations.py  all that are open
listener.py     bind, or take over
handover.py     what a master finds open when it starts, by name
store.py        listeners that wait in systemd while we are restarted
relatives.py    the masters before and after us, as processes
successor.py    the new one, as the old one starts it
predecessor.py  the old one, as the new one knows it
bell.py         how a child tells that it has come further
birth.py        a child's first moments, between fork and its program
orphans.py      the programs of a dead spawner
nurse.py        between an old master and a new one, for a while
gauges.py       what can be seen of a child from outside
control.py      the control socket
status.py       what the master says there about itself and its children
pidfile.py      a lock that says who holds it
daemon.py       detach, and tell the launching command how it went
systemd.py      LISTEN_FDS and sd_notify
"""
