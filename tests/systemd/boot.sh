#!/bin/sh
# Boot systemd as PID 1 of namespaces of its own; see machine.py, which starts and ends this.
#
#     unshare --mount boot.sh outside SCRATCH LOWER [SOURCE TARGET]...
#
# LOWER is the directory whose tree the machine sees as /: an overlay whose upper layer is a tmpfs,
# which exists in this mount namespace only, so that nothing is ever written below LOWER.  Each
# SOURCE is shown, read-only, as TARGET.  The machine lives until this script's standard input ends:
# however the process that started it ends, so does every process of the machine.
set -eu

# What a boot would start here are the machine's services; a test wants nothing but its own.
# /etc/systemd/system comes first in systemd's search, so that an empty one hides what is enabled.
emptied='etc/systemd/system etc/systemd/journald.conf.d usr/lib/systemd/system-generators
usr/lib/systemd/system/sysinit.target.wants usr/lib/systemd/system/sockets.target.wants
usr/lib/systemd/system/local-fs.target.wants usr/lib/systemd/system/timers.target.wants
usr/lib/systemd/system/multi-user.target.wants home opt root srv run tmp var/tmp var/log'
# These are not namespaced, and no business of a test.
harmful=-sys_module,-sys_rawio,-sys_time,-syslog,-mac_admin,-mac_override

read_only() {
    mount --bind "$1" "$1"
    mount -o remount,bind,ro "$1"
}

prepare() {
    mount -t overlay -o "lowerdir=$lower,upperdir=$scratch/upper,workdir=$scratch/work" \
        overlay "$root"
    for directory in $emptied; do
        mkdir -p "$root/$directory"
        mount -t tmpfs -o mode=755 tmpfs "$root/$directory"
    done
    chmod 1777 "$root/tmp" "$root/var/tmp"
    mkdir -p "$root/opt" "$root/proc" "$root/sys" "$root/dev"
    rm -f "$root/etc/machine-id" # may be a link, or empty
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    for unit in systemd-journald.service systemd-journald.socket; do
        mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
        ln -s "/lib/systemd/system/$unit" "$root/etc/systemd/system/sysinit.target.wants/"
    done
    printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n' \
        >"$root/etc/systemd/journald.conf.d/test.conf"
    while [ $# -gt 0 ]; do
        target=$root$2
        if [ -d "$1" ]; then
            mkdir -p "$target"
        else
            mkdir -p "${target%/*}"
            : >"$target"
        fi
        mount --bind "$1" "$target"
        mount -o remount,bind,ro "$target"
        shift 2
    done
}

outside() {
    scratch=$1 lower=$2
    shift 2
    mount -t tmpfs -o mode=755 tmpfs "$scratch"
    root=$scratch/root groups=$scratch/groups
    mkdir "$root" "$groups" "$scratch/upper" "$scratch/work"
    prepare "$@"
    mount -t cgroup2 cgroup2 "$groups"
    group=$groups/forkhttpd-test-$$
    mkdir "$group"
    # In its cgroup before it unshares, so that this is what a new cgroup namespace calls /.
    sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" \
        setpriv --bounding-set "$harmful" \
        unshare --mount --pid --fork --kill-child --net --ipc --uts --cgroup \
        sh "$0" inside "$root" </dev/null &
    cat >/dev/null # until it ends
    echo 1 >"$group/cgroup.kill"
    wait
    # A cgroup can be removed as soon as the kernel has forgotten the last of its processes.
    attempts=0
    while [ -d "$group" ] && [ "$attempts" -lt 100 ]; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.01
        attempts=$((attempts + 1))
    done
}

make_dev() {
    mount -t tmpfs -o nosuid,mode=755 tmpfs dev
    for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0'; do
        # shellcheck disable=SC2086 # name, major and minor
        set -- $node
        mknod -m 666 "dev/$1" c "$2" "$3"
    done
    mkdir dev/pts dev/shm dev/mqueue
    mount -t devpts -o newinstance,ptmxmode=0666,gid=5 devpts dev/pts
    mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs dev/shm
    mount -t mqueue mqueue dev/mqueue
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s /proc/self/fd/0 dev/stdin
    ln -s /proc/self/fd/1 dev/stdout
    ln -s /proc/self/fd/2 dev/stderr
}

inside() {
    mount --make-rprivate /
    cd "$1"
    mount -t proc -o nosuid,nodev,noexec proc proc
    read_only proc/sys
    [ ! -e proc/sysrq-trigger ] || read_only proc/sysrq-trigger
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
    make_dev
    pivot_root . .
    umount -l .
    cd /
    mount --make-rshared / # as systemd would do outside of a container; credentials need it
    exec env -i container=forkhttpd-test PATH="$PATH" \
        /lib/systemd/systemd --system --unit=multi-user.target
}

"$@"
