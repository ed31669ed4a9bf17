#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First process of the guest, once its root is there (tests/vm/init.sh): mounts what a host has, runs the job that the kernel's
# command line names, says on the second serial port what the job says and, behind a mark, how it ended.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
value() { sed -n "s/.*\<berth\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
tree=$(value tree)
stty -F /dev/ttyS1 raw -echo
mount -t tmpfs -o mode=1777 run /run
# All directories of the host are there, but what lies in /tmp is not wanted, except for the tree.
mkdir -p /run/tree
mount -o bind "$tree" /run/tree
mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p "$tree" "/lib/modules/$(uname -r)" /var/lib/containerd /dev/pts /dev/shm
mount --move /run/tree "$tree"
mount -o bind "$(value modules)/lib/modules/$(uname -r)" "/lib/modules/$(uname -r)"
mount -t tmpfs containerd /var/lib/containerd
mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
# Beside its own, a host has an address that it talks to its tasks from.
ip address add 192.0.2.1/32 dev lo
hostname guest
cd "$tree" && sh "$tree/$(value job)"
status=$?
echo "$(value mark) $status"
sleep 0.2 # until the port has sent it
/bin/busybox poweroff -f
