// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests under way, and waiting until none is that began before.
 *
 * A request announces itself (dmr_enter), then asks the engine where it goes.
 * Recovery first says what it holds, then drains. Whatever the timing, the
 * request sees the hold, or the drain sees the request: each side writes,
 * has a full barrier, and reads what the other wrote.
 *
 * There are two epochs. A drain starts a new one and waits for the requests
 * of the old one only, so it ends although new requests keep coming. A
 * request that announced itself in an epoch which ended meanwhile takes that
 * back and announces itself again, so nobody is counted where nobody looks.
 *
 * Beginnings and ends are counted apart, since a request may end on another
 * processor than it began on. Ends are summed up first: when the sums agree,
 * there was a moment between with no request under way.
 */
#include "dm-remap.h"

int dmr_inflight_init(struct dmr_inflight *inflight)
{
	inflight->cpu = alloc_percpu(struct dmr_inflight_cpu);
	if (!inflight->cpu)
		return -ENOMEM;
	init_waitqueue_head(&inflight->drained);
	return 0;
}

void dmr_inflight_exit(struct dmr_inflight *inflight)
{
	free_percpu(inflight->cpu);
}

static bool dmr_inflight_is_drained(struct dmr_inflight *inflight, unsigned int epoch)
{
	u64 in = 0, out = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		out += READ_ONCE(per_cpu_ptr(inflight->cpu, cpu)->out[epoch]);
	/* Ends before beginnings. */
	smp_mb();
	for_each_possible_cpu(cpu)
		in += READ_ONCE(per_cpu_ptr(inflight->cpu, cpu)->in[epoch]);
	return in == out;
}

/* For the writer of the set: one at a time. */
void dmr_inflight_drain(struct dmr_inflight *inflight)
{
	unsigned int old = inflight->epoch & 1;

	WRITE_ONCE(inflight->draining, true);
	/* What is held was said before the epoch changes. Pairs with dmr_enter(). */
	smp_mb();
	WRITE_ONCE(inflight->epoch, inflight->epoch + 1);
	/* The epoch has changed before the counts are read. Pairs with dmr_enter(). */
	smp_mb();
	/*
	 * An end looks at draining without a barrier behind its count, since it
	 * is on everyone's way: one that slips through is seen a jiffy later.
	 */
	while (!wait_event_timeout(inflight->drained, dmr_inflight_is_drained(inflight, old), 1))
		;
	WRITE_ONCE(inflight->draining, false);
	/* What the ended requests did is seen from here on. Pairs with dmr_leave(). */
	smp_mb();
}
