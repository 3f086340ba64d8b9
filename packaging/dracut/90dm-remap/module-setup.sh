#!/bin/bash
# Puts into the initramfs what opens a set that the root file system lies on.

check() {
	require_binaries dm-remap || return 1
	# Where only what this machine needs is wanted: only if sets are known here.
	[[ $hostonly ]] && [[ ! -d /var/lib/dm-remap ]] && return 255
	return 0
}

depends() {
	echo dm
}

installkernel() {
	instmods dm_remap
}

install() {
	inst_binary dm-remap
	inst_rules 65-dm-remap.rules
	[[ -d /var/lib/dm-remap ]] && inst_dir /var/lib/dm-remap && inst_multiple -o /var/lib/dm-remap/*/*
	inst_hook initqueue/settled 50 "$moddir/dm-remap-open.sh"
}
