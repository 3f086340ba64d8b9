// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events: lines of the kernel log at once, and device-mapper events and
 * uevents from a work of their own, since those allocate memory.
 */
#include "dm-remap.h"

void dmr_glue_event(void *context, const struct dmr_event *event)
{
	struct dmr_set *set = context;
	const char *name = dm_device_name(set->md);

	set_bit(event->kind, &set->events);
	switch (event->kind) {
	case DMR_EVENT_MOVED:
		set->last_remap = ktime_get_real_seconds();
		set->last_error = set->last_remap;
		DMWARN_LIMIT("%s: block of %llu sectors at %llu: sectors %#x moved to a spare",
			     name, event->sectors, event->start, event->what);
		break;
	case DMR_EVENT_LOST:
		set->last_error = ktime_get_real_seconds();
		DMERR_LIMIT("%s: block of %llu sectors at %llu: sectors %#x are lost until they are written",
			    name, event->sectors, event->start, event->what);
		break;
	case DMR_EVENT_RETIRED:
		DMWARN_LIMIT("%s: a slot of spare %u failed and is retired", name, event->what);
		break;
	case DMR_EVENT_STATE:
		if (event->what == DMR_STATE_ACTIVE)
			DMINFO("%s: the main device answers again: errors are recovered", name);
		else if (event->what == DMR_STATE_FAILING)
			DMERR("%s: the main device answers nowhere: errors pass through, nothing is remapped",
			       name);
		else
			DMERR("%s: no spare takes metadata: the device is read-only", name);
		break;
	case DMR_EVENT_SPARE_OFFLINE:
		DMERR("%s: spare %u does not answer: what was moved there cannot be read", name,
		       event->what);
		break;
	case DMR_EVENT_SPARE_FULL:
		DMERR_LIMIT("%s: no room on the spares for %llu sectors at %llu: add one with the message add_spare",
			     name, event->sectors, event->start);
		break;
	case DMR_EVENT_REPAIRED:
		DMINFO("%s: copy %llu of map page %llu on spare %u was damaged and is repaired",
		       name, event->sectors, event->start, event->what);
		break;
	}
}

static const char * const dmr_event_names[] = {
	[DMR_EVENT_MOVED] = "moved",
	[DMR_EVENT_LOST] = "lost",
	[DMR_EVENT_RETIRED] = "retired",
	[DMR_EVENT_STATE] = "state",
	[DMR_EVENT_SPARE_OFFLINE] = "spare-offline",
	[DMR_EVENT_SPARE_FULL] = "spare-full",
	[DMR_EVENT_REPAIRED] = "repaired",
};

static void dmr_uevent(struct dmr_set *set, unsigned long events)
{
	static const char * const states[] = { "active", "failing", "read-only" };
	char what[96] = "DM_REMAP_EVENT=", moved[40], lost[40], state[40], health[40];
	char *env[] = { what, moved, lost, state, health, NULL };
	struct dmr_facts facts;
	const char *comma = "";
	unsigned int kind;

	for_each_set_bit(kind, &events, ARRAY_SIZE(dmr_event_names)) {
		strlcat(what, comma, sizeof(what));
		strlcat(what, dmr_event_names[kind], sizeof(what));
		comma = ",";
	}
	down_read(&set->engine_lock);
	if (!set->engine) {
		up_read(&set->engine_lock);
		return;
	}
	dmr_engine_facts(set->engine, &facts);
	up_read(&set->engine_lock);
	snprintf(moved, sizeof(moved), "DM_REMAP_MOVED_SECTORS=%llu", facts.moved_sectors);
	snprintf(lost, sizeof(lost), "DM_REMAP_LOST_SECTORS=%llu", facts.lost_sectors);
	snprintf(state, sizeof(state), "DM_REMAP_STATE=%s",
		 states[min_t(u32, facts.state, ARRAY_SIZE(states) - 1)]);
	snprintf(health, sizeof(health), "DM_REMAP_HEALTH=%u", facts.health);
	kobject_uevent_env(&disk_to_dev(dm_disk(set->md))->kobj, KOBJ_CHANGE, env);
}

void dmr_event_work(struct work_struct *work)
{
	struct dmr_set *set = container_of(work, struct dmr_set, event_work);
	unsigned long events = xchg(&set->events, 0);

	if (events)
		dmr_uevent(set, events);
	mutex_lock(&set->table_lock);
	set->event_due |= events != 0;
	/* While suspended there is no table to tell: dmr_resume() comes back to it. */
	if (set->event_due && set->table) {
		set->event_due = false;
		dm_table_event(set->table);
	}
	mutex_unlock(&set->table_lock);
}
