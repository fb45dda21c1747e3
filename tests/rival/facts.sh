# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# What a Linux guest knows of its machine, each subject behind a mark: read by compare_logs.

show() {
    echo "@@ $1"
    shift
    "$@" 2>&1
}

ip link set eth0 up 2>/dev/null && ip addr add 10.0.0.1/24 dev eth0
sleep 2
show dmesg dmesg
show cpuinfo cat /proc/cpuinfo
show cpuid /bin/cpuid
show interrupts cat /proc/interrupts
show clocksource cat /sys/devices/system/clocksource/clocksource0/available_clocksource \
    /sys/devices/system/clocksource/clocksource0/current_clocksource
show hypervisor sh -c 'cd /sys/hypervisor; find . -type f ! -name guest_type | sort | while read f; do echo "$f: $(cat $f)"; done'
show vulnerabilities sh -c 'cd /sys/devices/system/cpu/vulnerabilities; for f in *; do echo "$f: $(cat $f)"; done'
show iomem cat /proc/iomem
show meminfo cat /proc/meminfo
show devices ls /sys/bus/xen/devices /sys/class/net /sys/block
echo "@@ end"
