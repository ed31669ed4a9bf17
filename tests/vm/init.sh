#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First process of the guest, out of its initramfs: the host's root, read only, with memory above it, becomes its root. There
# tests/vm/guest.sh goes on.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS1 2>&1

must() {
	"$@" || { echo "the guest cannot start: $*" && poweroff -f; }
}
for module in $(cat /modules/order); do
	must insmod "/modules/$module"
done
must mount -t virtiofs -o ro host /host
must mount -t tmpfs -o mode=755 memory /memory
mkdir /memory/upper /memory/work
must mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root
mount --move /proc /root/proc
mount --move /dev /root/dev
tree=$(sed -n 's/.*\<berth\.tree=\([^ ]*\).*/\1/p' /root/proc/cmdline)
exec switch_root /root /bin/sh "$tree/tests/vm/guest.sh"
