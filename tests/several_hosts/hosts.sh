#!/usr/bin/env bash
# Hosts that share one machine's cores and little else: each has a network, a host name, System V shared
# memory, /dev/shm, /tmp and, if asked for, a clock of its own. host0, host1, ... are 10.77.0.1, 10.77.0.2, ...
#
#   hosts.sh make FOLDER N SWITCH DELAY_US CLOCK_S COMMON...
#   ONESIDED_HOSTS=FOLDER hosts.sh on HOST COMMAND...
#
# `make` wants to be process 1 of a new process namespace, in new mount and network namespaces:
#
#   unshare --pid --fork --kill-child --mount --net -- hosts.sh make ...
#
# It says "up", and stays until its standard input ends. All that runs on the hosts ends with it: the
# kernel sees to that, however the one who holds the other end of standard input came to his end. All
# names are in namespaces, so any number of such sets of hosts can be up at once.
#
# Frames are switched by a bridge of the kernel, or, where DELAY_US is not 0, by SWITCH (made of switch.c),
# which delivers each so much later. The clock of hostI is I times CLOCK_S ahead. COMMON are folders that
# all hosts are to see even if they lie in /tmp.
set -euo pipefail

make() { # FOLDER N SWITCH DELAY_US CLOCK_S COMMON...
    local folder=$1 n=$2 switch=$3 delay_us=$4 clock_s=$5 i taps=() ready
    shift 5
    mount --make-rprivate /
    mount -t proc proc /proc
    ip link set lo up
    echo "127.0.0.1 localhost" >"$folder/hosts"
    for ((i = 0; i < n; i++)); do
        echo "10.77.0.$((i + 1)) host$i" >>"$folder/hosts"
        taps+=("tap$i")
    done
    if ((delay_us)); then
        exec {from_switch}< <(exec "$switch" "$delay_us" "${taps[@]}")
        read -r -t 60 ready <&"$from_switch" && [[ $ready == ready ]]
    else
        ip link add bridge0 type bridge
        ip link set bridge0 up
    fi
    for ((i = 0; i < n; i++)); do
        make_host "$i" "$folder" $((i * clock_s)) "$@"
        connect "$i" "$(<"$folder/host$i.pid")" "$delay_us"
    done
    echo up
    cat >/dev/null
}

# A process that holds the namespaces of a host; its id goes to FOLDER/hostI.pid.
make_host() { # I FOLDER AHEAD_S COMMON...
    local file=$2/host$1.pid clock=() try
    # A clock's namespace is that of children only, hence --fork.
    (($3 == 0)) || clock=(--time --monotonic "$3" --boottime "$3")
    unshare --net --uts --ipc --mount --propagation private "${clock[@]}" --fork -- \
        "${BASH_SOURCE[0]}" be_host "$@" </dev/null &
    for ((try = 0; try < 6000; try++)); do
        [[ ! -s $file ]] || return 0
        sleep 0.01
    done
    echo "host$1 did not start" >&2
    return 1
}

be_host() { # I FOLDER AHEAD_S COMMON...
    local host=host$1 folder=$2 common tmp
    shift 3
    hostname "$host"
    mount -t tmpfs -o size=512m shm /dev/shm
    # Made aside and moved into place, since it is to show folders of the /tmp that it hides.
    tmp=$folder/$host.tmp
    mkdir "$tmp"
    mount -t tmpfs -o mode=1777 tmp "$tmp"
    for common in "$folder" "$@"; do
        [[ $common == /tmp/* && -d $common ]] || continue
        mkdir -p "$tmp/${common#/tmp/}"
        mount --bind "$common" "$tmp/${common#/tmp/}"
    done
    mount --bind "$folder/hosts" /etc/hosts
    mount --move "$tmp" /tmp
    # Written at once, so that nobody reads half of it.
    echo $BASHPID >"$folder/$host.part"
    mv "$folder/$host.part" "$folder/$host.pid"
    exec sleep infinity
}

connect() { # I PID DELAY_US
    local on=(nsenter --target "$2" --net --)
    if (($3)); then
        ip link set "tap$1" netns "$2" name eth0
    else
        ip link add "veth$1" type veth peer name eth0 netns "$2"
        ip link set "veth$1" master bridge0 up
    fi
    # switch.c reads the host's number from the address.
    "${on[@]}" ip link set eth0 address "02:00:00:00:00:$(printf %02x "$1")"
    "${on[@]}" ip address add "10.77.0.$(($1 + 1))/24" dev eth0
    "${on[@]}" ip link set eth0 up
    "${on[@]}" ip link set lo up
}

on() { # HOST COMMAND...
    exec nsenter --all --no-fork --target "$(<"$ONESIDED_HOSTS/$1.pid")" -- "${@:2}"
}

"$@"
