#!/bin/sh
# Runs on the machine when it is up: tells over the second serial port what is as it should be, writes more, and powers
# off. The first one is the console, from which a login throws everybody else.
exec > /dev/ttyS1 2>&1
echo

check() {
	name=$1
	shift
	if "$@" > /tmp/said 2>&1; then
		echo "ok $name"
	else
		echo "FAILED $name: $(tr '\n' ' ' < /tmp/said)"
	fi
}

sums_are_right() {
	[ ! -e "$1/sums" ] || (cd "$1" && sha256sum --quiet -c sums)
}

leads_to_a_set() {
	link=$(readlink -f "/dev/disk/by-uuid/$(findmnt -n -o UUID "$1")")
	[ "$link" = "$(readlink -f "$2")" ] || { echo "it leads to $link"; false; }
}

none_failed() {
	[ -z "$(systemctl --failed --no-legend | tee /tmp/failed)" ] || { cat /tmp/failed; false; }
}

fill() {
	number=$(ls "$1" | grep -c '^file') || true
	dd if=/dev/urandom of="$1/file$number" bs=1M count="$2" status=none
	(cd "$1" && sha256sum file* > sums.new && mv sums.new sums)
	sync -f "$1"
	echo 3 > /proc/sys/vm/drop_caches
	sums_are_right "$1"
}

opened_by_its_rule() {
	unit="dm-remap-open@$(dm-remap probe /dev/vdd | sed -n 's/^DM_REMAP_SET=//p').service"
	umount /data && systemctl stop "$unit" && dm-remap close dataset && udevadm settle || return
	[ ! -e /dev/mapper/dataset ] || { echo "it is there still"; return 1; }
	udevadm trigger --settle --action=add /dev/vdd
	for _ in $(seq 60); do
		[ -e /dev/mapper/dataset ] && break
		sleep 0.5
	done
	mount /data
}

scrape() {
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:9924") or die "nobody listens\n";
		print $s "GET /metrics HTTP/1.0\r\n\r\n"; print while <$s>'
}

monitored() {
	systemctl start dm-remap-monitor && scrape > /tmp/metrics || return
	for set in rootset dataset; do
		grep "^dm_remap_up{name=\"$set\"" /tmp/metrics | grep ' 1$' || return
		grep "^dm_remap_state{name=\"$set\".*state=\"active\"} 1$" /tmp/metrics || return
	done
	grep '^dm_remap_moved_sectors{name="rootset"' /tmp/metrics | grep -v ' 0$'
}

mkdir -p /srv/files
check "the root file system lies on a set" [ "$(findmnt -n -o SOURCE /)" = /dev/mapper/rootset ]
check "the data set was opened and mounted by fstab" [ "$(findmnt -n -o SOURCE /data)" = /dev/mapper/dataset ]
check "no unit has failed" none_failed
check "the UUID of the root file system leads to the set" leads_to_a_set / /dev/mapper/rootset
check "the UUID of the data leads to the set" leads_to_a_set /data /dev/mapper/dataset
check "files of earlier boots are whole" sums_are_right /srv/files
check "data of earlier boots is whole" sums_are_right /data
check "files are written over bad sectors and read back" fill /srv/files 40
check "data is written over bad sectors and read back" fill /data 20
check "no sector is lost" sh -c '[ -z "$(dm-remap mappings rootset | grep lost)" ]'
check "a set whose spare appears is opened by its rule" opened_by_its_rule
check "and its data is whole" sums_are_right /data
check "the monitor runs as its unit says and tells of both sets" monitored
echo "moved $(dmsetup status rootset | cut -d' ' -f5)"
echo "machine: done"
systemctl poweroff --no-block
