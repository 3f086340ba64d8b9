// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets: found by their devices, opened once, shared by the targets of a
 * device's tables, closed with the last of them.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dm-remap.h"

static DEFINE_MUTEX(dmr_sets_lock);
static LIST_HEAD(dmr_sets);

/* Broken invariant: takes no lock, since its owner may be the one who fell. */
void dmr_sets_halt(void)
{
	struct dmr_set *set;

	list_for_each_entry(set, &dmr_sets, list) {
		WRITE_ONCE(set->halted, true);
		if (set->writer == current) {
			/* Its writer never comes back, so the module has to stay. */
			set->fallen = try_module_get(THIS_MODULE);
			set->writer = NULL;
		}
		queue_work(set->deferred_queue, &set->deferred_work);
		if (!set->fallen)
			queue_work(set->recovery_queue, &set->recovery_work);
	}
}

void dmr_sets_for_each(void (*visit)(struct dmr_set *set, void *data), void *data)
{
	struct dmr_set *set;

	mutex_lock(&dmr_sets_lock);
	list_for_each_entry(set, &dmr_sets, list)
		visit(set, data);
	mutex_unlock(&dmr_sets_lock);
}

static bool dmr_overlap(const struct dmr_device *one, const struct dmr_device *other)
{
	return one->bdev == other->bdev &&
	       one->start < other->start + other->sectors &&
	       other->start < one->start + one->sectors;
}

static bool dmr_uses(const struct dmr_set *set, const struct dmr_device *device)
{
	unsigned int at;

	for (at = 0; at <= set->spare_count; at++)
		if (dmr_overlap(&set->devices[at], device))
			return true;
	return false;
}

/* Whether two sets are of the same devices, in the same order. */
static bool dmr_same_devices(const struct dmr_set *one, const struct dmr_set *other)
{
	unsigned int at;

	if (one->spare_count != other->spare_count)
		return false;
	for (at = 0; at <= one->spare_count; at++)
		if (one->devices[at].bdev != other->devices[at].bdev ||
		    one->devices[at].start != other->devices[at].start)
			return false;
	return true;
}

/* What the engine is told of the devices. */
struct dmr_params *dmr_params_new(struct dmr_set *set, unsigned int spare_count)
{
	struct block_device *main = set->devices[0].bdev;
	struct dmr_params *params = kzalloc(sizeof(*params), GFP_KERNEL);
	unsigned int at;

	if (!params)
		return NULL;
	params->main_sectors = set->devices[0].sectors;
	params->now_unix_s = ktime_get_real_seconds();
	params->main_logical_bytes = bdev_logical_block_size(main);
	params->main_physical_bytes = bdev_physical_block_size(main);
	params->spare_count = spare_count;
	params->options = set->options;
	for (at = 0; at < spare_count; at++) {
		params->spares[at].sectors = set->devices[at + 1].sectors;
		params->spares[at].logical_bytes =
			bdev_logical_block_size(set->devices[at + 1].bdev);
	}
	get_random_bytes(params->random, sizeof(params->random));
	snprintf(params->main_path, sizeof(params->main_path), "/dev/%pg", main);
	if (main->bd_meta_info)
		strscpy(params->partition_uuid, main->bd_meta_info->uuid,
			sizeof(params->partition_uuid));
	return params;
}

static void dmr_set_free(struct dmr_set *set)
{
	if (set->recovery_queue)
		destroy_workqueue(set->recovery_queue);
	if (set->deferred_queue)
		destroy_workqueue(set->deferred_queue);
	bioset_exit(&set->bios);
	free_percpu(set->counts);
	dmr_inflight_exit(&set->inflight);
	kvfree(set);
}

static struct dmr_set *dmr_set_new(struct mapped_device *md)
{
	struct dmr_set *set = kvzalloc(sizeof(*set), GFP_KERNEL);

	if (!set)
		return NULL;
	set->md = md;
	INIT_LIST_HEAD(&set->list);
	INIT_LIST_HEAD(&set->scrub_jobs);
	init_rwsem(&set->engine_lock);
	mutex_init(&set->table_lock);
	mutex_init(&set->change_lock);
	spin_lock_init(&set->lock);
	bio_list_init(&set->deferred);
	bio_list_init(&set->failed);
	INIT_WORK(&set->deferred_work, dmr_deferred_work);
	INIT_WORK(&set->recovery_work, dmr_recovery_work);
	INIT_WORK(&set->event_work, dmr_event_work);
	init_completion(&set->kobj_gone);
	dmr_scrub_init(&set->scrub);
	set->opened = ktime_get_real_seconds();
	set->counts = alloc_percpu(struct dmr_io_counts);
	/* The writer, the deferred work and the scrub have one bio each. */
	if (!set->counts || dmr_inflight_init(&set->inflight) ||
	    bioset_init(&set->bios, 8, 0, BIOSET_NEED_BVECS))
		goto fail;
	set->recovery_queue = alloc_ordered_workqueue("dm_remap_rec", WQ_MEM_RECLAIM);
	set->deferred_queue = alloc_workqueue("dm_remap_io", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!set->recovery_queue || !set->deferred_queue)
		goto fail;
	return set;
fail:
	dmr_set_free(set);
	return NULL;
}

/* The set that has one of the devices, if there is one. */
static struct dmr_set *dmr_set_find(const struct dmr_set *wanted)
{
	struct dmr_set *set;
	unsigned int at;

	list_for_each_entry(set, &dmr_sets, list)
		for (at = 0; at <= wanted->spare_count; at++)
			if (dmr_uses(set, &wanted->devices[at]))
				return set;
	return NULL;
}

static bool dmr_check_devices(const struct dmr_set *set, char *why, unsigned int why_length)
{
	unsigned int one, other;

	for (one = 0; one <= set->spare_count; one++)
		for (other = one + 1; other <= set->spare_count; other++)
			if (dmr_overlap(&set->devices[one], &set->devices[other])) {
				snprintf(why, why_length,
					 one ? "the same spare is given twice" :
					 "the main device and a spare are the same device");
				return false;
			}
	if (bdev_is_zoned(set->devices[0].bdev)) {
		snprintf(why, why_length, "zoned devices cannot be remapped");
		return false;
	}
	return true;
}

#define DMR_OPTIONS_KEPT (DMR_OPTION_READ_ONLY | DMR_OPTION_ON_LOST_ZERO | DMR_OPTION_OTHER_MAIN | \
			  DMR_OPTION_MISSING_SPARES | DMR_OPTION_LOST_PAGES)

static int dmr_set_open(struct dmr_set *set, const struct dmr_table *table, const char *name,
			char *why, unsigned int why_length)
{
	struct dmr_params *params = dmr_params_new(set, set->spare_count);
	unsigned int others = 0;
	struct dmr_set *other;
	int result;

	if (!params)
		return -ENOMEM;
	list_for_each_entry(other, &dmr_sets, list)
		others += other->md == set->md;
	params->options = table->options;
	params->block_sectors = table->block_sectors;
	params->copies = table->copies;
	if (name)
		strscpy(params->name, name, sizeof(params->name));
	set->engine = dmr_engine_open(set, params, why, why_length);
	kfree(params);
	if (!set->engine)
		return -EINVAL;
	result = dmr_sysfs_add(set, others);
	if (result) {
		snprintf(why, why_length, "sysfs has no room for the set");
		dmr_engine_close(set->engine);
		dmr_engine_free(set->engine);
		set->engine = NULL;
	}
	return result;
}

/*
 * The set of a target's devices: the one that runs already for the same mapped
 * device, or a new one. An error pointer with the reason in why.
 */
struct dmr_set *dmr_set_get(struct dmr_target *target, const struct dmr_table *table,
			    const char *name, char *why, unsigned int why_length)
{
	struct mapped_device *md = dm_table_get_md(target->ti->table);
	struct dmr_set *set = dmr_set_new(md);
	struct dmr_set *running;
	unsigned int at;
	int result;

	if (!set) {
		snprintf(why, why_length, "not enough memory for a set");
		return ERR_PTR(-ENOMEM);
	}
	for (at = 0; at < target->device_count; at++) {
		struct dmr_device *device = &set->devices[at];

		device->bdev = target->devices[at]->bdev;
		device->start = at == 1 ? table->spare_start : 0;
		device->sectors = bdev_nr_sectors(device->bdev);
		if (device->start >= device->sectors) {
			snprintf(why, why_length, "the spare ends before sector %llu",
				 (u64)device->start);
			result = -EINVAL;
			goto fail;
		}
		device->sectors -= device->start;
		if (at == 1 && table->spare_sectors) {
			if (table->spare_sectors > device->sectors) {
				snprintf(why, why_length,
					 "the spare has %llu sectors from there on, not %llu",
					 (u64)device->sectors, table->spare_sectors);
				result = -EINVAL;
				goto fail;
			}
			device->sectors = table->spare_sectors;
		}
	}
	set->spare_count = target->device_count - 1;
	at = bdev_logical_block_size(set->devices[1].bdev) >> SECTOR_SHIFT;
	if ((table->spare_start | table->spare_sectors) & (at - 1)) {
		snprintf(why, why_length,
			 "the spare's part must begin and end at logical blocks of %u sectors", at);
		result = -EINVAL;
		goto fail;
	}
	set->options = table->options & DMR_OPTIONS_KEPT;
	if (!dmr_check_devices(set, why, why_length)) {
		result = -EINVAL;
		goto fail;
	}

	mutex_lock(&dmr_sets_lock);
	running = dmr_set_find(set);
	if (running) {
		if (running->md != md) {
			snprintf(why, why_length, "a device is in use by the set of %s",
				 dm_device_name(running->md));
			result = -EBUSY;
		} else if (running->changing) {
			snprintf(why, why_length, "a spare of the running set is being added or removed");
			result = -EBUSY;
		} else if (!dmr_same_devices(running, set)) {
			snprintf(why, why_length,
				 "the running set has other spares: change them with the messages add_spare and remove_spare");
			result = -EINVAL;
		} else if (running->options != set->options) {
			snprintf(why, why_length,
				 "options of a running set cannot be changed: remove the device first");
			result = -EINVAL;
		} else {
			running->targets++;
			result = 0;
		}
		mutex_unlock(&dmr_sets_lock);
		dmr_set_free(set);
		return result ? ERR_PTR(result) : running;
	}
	result = dmr_set_open(set, table, name, why, why_length);
	if (!result) {
		set->targets = 1;
		list_add_tail(&set->list, &dmr_sets);
	}
	mutex_unlock(&dmr_sets_lock);
	if (!result)
		return set;
fail:
	dmr_set_free(set);
	return ERR_PTR(result);
}

/* Whether a running set has the device. */
bool dmr_set_of_device(struct block_device *bdev)
{
	struct dmr_set *set;
	unsigned int at;
	bool found = false;

	mutex_lock(&dmr_sets_lock);
	list_for_each_entry(set, &dmr_sets, list)
		for (at = 0; at <= set->spare_count; at++)
			found |= set->devices[at].bdev == bdev;
	mutex_unlock(&dmr_sets_lock);
	return found;
}

/*
 * To be called before spares are changed, with change_lock. A table that is
 * loaded and not in use yet would keep the devices of before, and the live one
 * would let go of the new ones with its end: the set has to be the live table's
 * alone.
 */
int dmr_set_change_begin(struct dmr_set *set)
{
	int result = 0;

	mutex_lock(&dmr_sets_lock);
	if (set->targets > 1)
		result = -EBUSY;
	else
		set->changing = true;
	mutex_unlock(&dmr_sets_lock);
	return result;
}

void dmr_set_change_end(struct dmr_set *set)
{
	mutex_lock(&dmr_sets_lock);
	set->changing = false;
	mutex_unlock(&dmr_sets_lock);
}

static int dmr_close_command(struct dmr_set *set, void *data)
{
	return dmr_engine_close(set->engine);
}

/* Gives a target's share back; the last one closes the set. No request is under way. */
void dmr_set_put(struct dmr_set *set)
{
	int error = 0;

	mutex_lock(&dmr_sets_lock);
	if (--set->targets) {
		mutex_unlock(&dmr_sets_lock);
		return;
	}
	list_del(&set->list);
	dmr_scrub_stop(set);
	dmr_sysfs_remove(set);
	flush_workqueue(set->deferred_queue);
	if (set->fallen) {
		/* Somebody sleeps in its middle for ever: it stays where it is. */
		mutex_unlock(&dmr_sets_lock);
		return;
	}
	flush_workqueue(set->recovery_queue);
	cancel_work_sync(&set->event_work);
	if (set->engine && !set->halted)
		error = dmr_as_writer(set, dmr_close_command, NULL);
	cancel_work_sync(&set->event_work);
	if (error)
		DMERR("%s: could not be closed cleanly (error %d); nothing acknowledged is lost",
		      dm_device_name(set->md), error);
	if (set->engine)
		dmr_engine_free(set->engine);
	mutex_unlock(&dmr_sets_lock);
	dmr_set_free(set);
}

struct dmr_reopen {
	unsigned int option;
	unsigned int spare_count;
	char *why;
	unsigned int why_length;
};

static struct dmr_engine *dmr_open_again(struct dmr_set *set, unsigned int option,
					 unsigned int spare_count, char *why,
					 unsigned int why_length)
{
	struct dmr_params *params = dmr_params_new(set, spare_count);
	struct dmr_engine *engine;

	if (!params) {
		snprintf(why, why_length, "not enough memory");
		return NULL;
	}
	params->options |= option;
	engine = dmr_engine_open(set, params, why, why_length);
	kfree(params);
	return engine;
}

/*
 * Exchanges the engine while requests wait. When the change fails, the set as
 * it was is opened again; should that fail too, the set halts.
 */
static int dmr_reopen_command(struct dmr_set *set, void *data)
{
	struct dmr_reopen *reopen = data;
	struct dmr_engine *engine = set->engine;
	unsigned int noio = memalloc_noio_save();
	unsigned int before = set->spare_count;
	char again[128];
	int result = 0;

	down_write(&set->engine_lock);
	WRITE_ONCE(set->engine, NULL);
	dmr_inflight_drain(&set->inflight);
	result = dmr_engine_close(engine) ? -EIO : 0;
	dmr_engine_free(engine);
	/* While it is opened, the engine may ask for every device it is told of. */
	set->spare_count = max(before, reopen->spare_count);
	if (result) {
		snprintf(reopen->why, reopen->why_length, "the set could not be closed");
		engine = NULL;
	} else {
		engine = dmr_open_again(set, reopen->option, reopen->spare_count, reopen->why,
					reopen->why_length);
	}
	if (engine) {
		set->spare_count = reopen->spare_count;
		if (reopen->option & DMR_OPTION_REMOVE)
			set->spare_count--;
	} else {
		result = -EINVAL;
		set->spare_count = before;
		engine = dmr_open_again(set, 0, before, again, sizeof(again));
		if (!engine) {
			DMERR("%s: the set could not be opened again (%s): it halts",
			       dm_device_name(set->md), again);
			WRITE_ONCE(set->halted, true);
		}
	}
	WRITE_ONCE(set->engine, engine);
	up_write(&set->engine_lock);
	memalloc_noio_restore(noio);
	dmr_release(set);
	queue_work(set->recovery_queue, &set->recovery_work);
	return result;
}

/*
 * Opens the set anew with a member more or less, or with a main device that has
 * grown, while requests wait.
 */
int dmr_set_reopen(struct dmr_set *set, unsigned int option, unsigned int spare_count,
		   char *why, unsigned int why_length)
{
	struct dmr_reopen reopen = {
		.option = option,
		.spare_count = spare_count,
		.why = why,
		.why_length = why_length,
	};
	int result;

	dmr_scrub_forbid(set);
	result = dmr_as_writer(set, dmr_reopen_command, &reopen);
	dmr_scrub_allow(set);
	return result;
}
