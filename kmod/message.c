// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages: most are the engine's; those about devices, the scrub and flushing
 * are dealt with here. Every answer goes to who asked.
 */
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>

#include "dm-remap.h"

static bool dmr_allow_break;
module_param_named(allow_break, dmr_allow_break, bool, 0644);
MODULE_PARM_DESC(allow_break, "Let the message break_invariant stop all sets, to test that");

static int dmr_order_command(struct dmr_set *set, void *data)
{
	return dmr_order_step(set->engine, data);
}

/* Takes the steps of an order until there is none left, or a fatal signal comes. */
static int dmr_carry_out(struct dmr_set *set, struct dmr_order *order)
{
	int more;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		more = dmr_as_writer(set, dmr_order_command, order);
		cond_resched();
	} while (more > 0);
	return more;
}

static int dmr_sync_command(struct dmr_set *set, void *data)
{
	unsigned int device;
	u32 error = DMR_OK;

	for (device = 0; device <= set->spare_count; device++)
		error = dmr_glue_flush(set, device) ?: error;
	return error ? -EIO : 0;
}

static int dmr_message_sync(struct dmr_set *set, char *result, unsigned int maxlen)
{
	int error = set->options & DMR_OPTION_READ_ONLY ? 0 :
		    dmr_as_writer(set, dmr_sync_command, NULL);

	snprintf(result, maxlen, error ? "a device could not be flushed" : "done");
	return error;
}

static int dmr_message_scrub(struct dmr_set *set, unsigned int argc, char **argv, char *result,
			     unsigned int maxlen)
{
	u64 rate = 0;
	int error;

	if (argc == 2 && !strcasecmp(argv[1], "status")) {
		dmr_scrub_status(set, result, maxlen);
		return 0;
	}
	if (argc == 2 && !strcasecmp(argv[1], "stop")) {
		dmr_scrub_stop(set);
		dmr_scrub_status(set, result, maxlen);
		return 0;
	}
	if (argc < 2 || argc > 3 || strcasecmp(argv[1], "start") ||
	    (argc == 3 && (kstrtou64(argv[2], 10, &rate) || rate > U32_MAX))) {
		snprintf(result, maxlen, "scrub: expected start [<MiB per second>], stop or status");
		return -EINVAL;
	}
	error = dmr_scrub_start(set, rate << 20);
	if (error == -EBUSY)
		snprintf(result, maxlen, "a scrub is running: see scrub status");
	else
		snprintf(result, maxlen, error ? "the scrub cannot start" : "started");
	return error;
}

static int dmr_message_add(struct dmr_target *target, const char *path, char *result,
			   unsigned int maxlen)
{
	struct dm_target *ti = target->ti;
	struct dmr_set *set = target->set;
	unsigned int number = set->spare_count + 1;
	struct dmr_device *device = &set->devices[number];
	struct dm_dev *opened;
	unsigned int at;
	int error;

	if (number > DMR_MAX_SPARES || target->device_count > DMR_MAX_SPARES) {
		snprintf(result, maxlen, "a set has at most %u spares", DMR_MAX_SPARES);
		return -EINVAL;
	}
	error = dm_get_device(ti, path, dm_table_get_mode(ti->table), &opened);
	if (error) {
		snprintf(result, maxlen, "the device %s cannot be opened (error %d)", path, error);
		return error;
	}
	for (at = 0; at < number; at++) {
		if (set->devices[at].bdev == opened->bdev) {
			snprintf(result, maxlen, "%s is a member of this set already", path);
			error = -EBUSY;
			goto fail;
		}
	}
	if (dmr_set_of_device(opened->bdev)) {
		snprintf(result, maxlen, "%s is in use by another set", path);
		error = -EBUSY;
		goto fail;
	}
	if (bdev_logical_block_size(opened->bdev) >
	    queue_logical_block_size(dm_disk(set->md)->queue)) {
		snprintf(result, maxlen, "%s has larger logical blocks than the device", path);
		error = -EINVAL;
		goto fail;
	}
	device->bdev = opened->bdev;
	device->start = 0;
	device->sectors = bdev_nr_sectors(opened->bdev);
	dmr_scrub_stop(set);
	/* Before anything can live there, flushes go there. */
	ti->num_flush_bios = number + 1;
	error = dmr_set_reopen(set, DMR_OPTION_ADD, number, result, maxlen);
	if (error) {
		ti->num_flush_bios = number;
		goto fail;
	}
	target->devices[target->device_count++] = opened;
	snprintf(result, maxlen, "spare %u added", number);
	return 0;
fail:
	dm_put_device(ti, opened);
	return error;
}

struct dmr_drain {
	u32 device;
	bool draining;
};

static int dmr_drain_command(struct dmr_set *set, void *data)
{
	struct dmr_drain *drain = data;

	return dmr_engine_drain_spare(set->engine, drain->device, drain->draining) ? 0 : -EINVAL;
}

/* 0 where there is no such device. */
static dev_t dmr_dev_of(const char *path)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	dev_t dev;

	return dm_devt_from_path(path, &dev) ? 0 : dev;
#else
	return dm_get_dev_t(path);
#endif
}

static int dmr_message_remove(struct dmr_target *target, const char *path, char *result,
			      unsigned int maxlen)
{
	struct dmr_set *set = target->set;
	struct dmr_order order = { .kind = DMR_ORDER_EVACUATE };
	struct dmr_drain drain = { .draining = true };
	unsigned int at, number = 0;
	dev_t dev = dmr_dev_of(path);
	int error;

	for (at = 1; dev && at <= set->spare_count; at++)
		if (set->devices[at].bdev->bd_dev == dev)
			number = at;
	if (!number) {
		snprintf(result, maxlen, "%s is no spare of this set", path);
		return -EINVAL;
	}
	if (set->spare_count == 1) {
		snprintf(result, maxlen, "%s is the only spare: add another first", path);
		return -EINVAL;
	}
	if (number != set->spare_count) {
		snprintf(result, maxlen,
			 "only the last spare of the table can be removed while the set runs");
		return -EINVAL;
	}
	drain.device = number;
	order.device = number;
	error = dmr_as_writer(set, dmr_drain_command, &drain);
	if (!error)
		error = dmr_carry_out(set, &order);
	if (error || order.failed) {
		drain.draining = false;
		dmr_as_writer(set, dmr_drain_command, &drain);
		dmr_order_report(&order, result, maxlen);
		return error ?: -ENOSPC;
	}
	error = dmr_set_reopen(set, DMR_OPTION_REMOVE, number, result, maxlen);
	if (error)
		return error;
	target->device_count--;
	target->ti->num_flush_bios = target->device_count;
	dm_put_device(target->ti, target->devices[target->device_count]);
	snprintf(result, maxlen, "spare %u removed", number);
	return 0;
}

/* Spares come and go one at a time, and not while another table has a share of the set. */
static int dmr_message_spare(struct dmr_target *target,
			     int (*change)(struct dmr_target *target, const char *path,
					   char *result, unsigned int maxlen),
			     const char *path, char *result, unsigned int maxlen)
{
	struct dmr_set *set = target->set;
	int error;

	mutex_lock(&set->change_lock);
	error = dmr_set_change_begin(set);
	if (error) {
		snprintf(result, maxlen,
			 "a table is loaded that is not in use yet: resume the device, or clear the table");
	} else {
		error = change(target, path, result, maxlen);
		dmr_set_change_end(set);
	}
	mutex_unlock(&set->change_lock);
	return error;
}

static int dmr_engine_message(struct dmr_set *set, unsigned int argc, char **argv, char *result,
			      unsigned int maxlen)
{
	struct dmr_order order = { };
	struct dmr_io_counts io;
	u32 answer = DMR_REFUSED;
	int error;

	dmr_io_counts_sum(set, &io);
	down_read(&set->engine_lock);
	if (set->engine)
		answer = dmr_message(set->engine, argc, argv, &io, &order, result, maxlen);
	up_read(&set->engine_lock);
	if (answer == DMR_ANSWERED)
		return 0;
	if (answer != DMR_ORDERED)
		return -EINVAL;
	error = dmr_carry_out(set, &order);
	dmr_order_report(&order, result, maxlen);
	return error;
}

/* Messages that touch no device. */
static bool dmr_only_tells(unsigned int argc, char **argv)
{
	static const char * const words[] = {
		"help", "status", "stats", "spares", "health", "cache_stats", "clear_stats", "mappings",
	};
	unsigned int at;

	if (argc == 2 && !strcasecmp(argv[0], "scrub"))
		return !strcasecmp(argv[1], "status") || !strcasecmp(argv[1], "stop");
	for (at = 0; at < ARRAY_SIZE(words); at++)
		if (!strcasecmp(argv[0], words[at]))
			return true;
	return false;
}

/*
 * 1 is device-mapper's word for "there is an answer". An error has no room for
 * one, so what was wrong goes to the kernel log.
 */
int dmr_take_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
		     unsigned int maxlen)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;
	int error;

	if (READ_ONCE(set->halted))
		return -EIO;
	if (!maxlen)
		return -ENOSPC;
	result[0] = 0;
	if (dm_suspended(ti) && !dmr_only_tells(argc, argv)) {
		/* Whoever suspends a device counts on its members being left alone. */
		snprintf(result, maxlen, "%s: the device is suspended", argv[0]);
		error = -EBUSY;
	} else if (!strcasecmp(argv[0], "scrub")) {
		error = dmr_message_scrub(set, argc, argv, result, maxlen);
	} else if (!strcasecmp(argv[0], "sync") && argc == 1) {
		error = dmr_message_sync(set, result, maxlen);
	} else if (!strcasecmp(argv[0], "clear_stats") && argc == 1) {
		dmr_io_counts_clear(set);
		down_read(&set->engine_lock);
		if (set->engine)
			dmr_engine_clear(set->engine);
		up_read(&set->engine_lock);
		snprintf(result, maxlen, "done");
		error = 0;
	} else if (dmr_allow_break && !strcasecmp(argv[0], "break_invariant") && argc == 1) {
		set->break_next = true;
		snprintf(result, maxlen, "the next recovery stops all sets");
		error = 0;
	} else if (!strcasecmp(argv[0], "add_spare") && argc == 2) {
		error = dmr_message_spare(target, dmr_message_add, argv[1], result, maxlen);
	} else if (!strcasecmp(argv[0], "remove_spare") && argc == 2) {
		error = dmr_message_spare(target, dmr_message_remove, argv[1], result, maxlen);
	} else {
		error = dmr_engine_message(set, argc, argv, result, maxlen);
	}
	if (error) {
		DMERR("%s: message refused: %s", dm_device_name(set->md), result);
		return error;
	}
	return 1;
}
