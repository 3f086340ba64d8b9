// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device-mapper target "remap": a line of a table, and what device-mapper
 * asks of it. The module's beginning and end are here too.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "dm-remap.h"

/* What dmsetup and the kernel log are told of a refused line; one at a time is enough. */
static char dmr_why[512];

static void dmr_target_free(struct dmr_target *target)
{
	unsigned int at;

	for (at = 0; at < target->device_count; at++)
		dm_put_device(target->ti, target->devices[at]);
	kfree(target);
}

static int dmr_get_device(struct dmr_target *target, const char *path)
{
	struct dm_target *ti = target->ti;
	struct dm_dev **device = &target->devices[target->device_count];
	int result = dm_get_device(ti, path, dm_table_get_mode(ti->table), device);

	if (result) {
		snprintf(dmr_why, sizeof(dmr_why), "the device %s cannot be opened (error %d)", path,
			 result);
		return result;
	}
	target->device_count++;
	return 0;
}

static int dmr_check_length(struct dmr_target *target, const struct dmr_table *table)
{
	struct dmr_set *set = target->set;
	struct dm_target *ti = target->ti;
	u64 sectors;

	down_read(&set->engine_lock);
	sectors = set->engine ? dmr_engine_sectors(set->engine) : 0;
	up_read(&set->engine_lock);
	target->grow = table->options & DMR_OPTION_GROW;
	if (ti->len <= sectors)
		return 0;
	if (target->grow && ti->len <= bdev_nr_sectors(set->devices[0].bdev))
		return 0;
	snprintf(dmr_why, sizeof(dmr_why),
		 "the line is for %llu sectors, and the set has %llu%s", (u64)ti->len, sectors,
		 ti->len <= bdev_nr_sectors(set->devices[0].bdev) ?
		 ": give the option grow if the main device has grown" : "");
	return -EINVAL;
}

static int dmr_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dmr_target *target;
	struct dmr_table table;
	unsigned int at;
	int result;

	ti->error = dmr_why;
	if (dmr_table_parse(argc, argv, &table, dmr_why, sizeof(dmr_why)))
		return -EINVAL;
	target = kzalloc(sizeof(*target), GFP_KERNEL);
	if (!target) {
		ti->error = "not enough memory";
		return -ENOMEM;
	}
	target->ti = ti;
	target->window = table.spare_sectors;
	if (!(dm_table_get_mode(ti->table) & DMR_MODE_WRITE))
		table.options |= DMR_OPTION_READ_ONLY;
	result = dmr_get_device(target, argv[0]);
	/* Before anything is opened, or even formatted, for a line that cannot be. */
	if (!result && ti->len > bdev_nr_sectors(target->devices[0]->bdev)) {
		snprintf(dmr_why, sizeof(dmr_why),
			 "the line is for %llu sectors, and the main device has %llu",
			 (u64)ti->len, (u64)bdev_nr_sectors(target->devices[0]->bdev));
		result = -EINVAL;
	}
	for (at = 0; !result && at < table.spare_count; at++)
		result = dmr_get_device(target, argv[table.spares[at]]);
	if (result)
		goto fail;
	target->set = dmr_set_get(target, &table, table.name ? argv[table.name] : NULL, dmr_why,
				  sizeof(dmr_why));
	if (IS_ERR(target->set)) {
		result = PTR_ERR(target->set);
		goto fail;
	}
	result = dmr_check_length(target, &table);
	if (result) {
		dmr_set_put(target->set);
		goto fail;
	}
	ti->private = target;
	ti->per_io_data_size = sizeof(struct dmr_io);
	ti->num_flush_bios = target->device_count;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	/* Sectors that moved keep what they hold: it is the main device that discards. */
	ti->discards_supported = bdev_max_discard_sectors(target->devices[0]->bdev);
	return 0;
fail:
	dmr_target_free(target);
	return result;
}

static void dmr_dtr(struct dm_target *ti)
{
	struct dmr_target *target = ti->private;

	dmr_set_put(target->set);
	dmr_target_free(target);
}

/* One flush a device; those of spares on which nothing lives are done at once. */
static int dmr_map_flush(struct dmr_set *set, struct bio *bio)
{
	struct dmr_io *io = dmr_io(bio);
	unsigned int device = dm_bio_get_target_bio_nr(bio);
	unsigned long seen = READ_ONCE(set->releases);
	u8 epoch = dmr_enter(&set->inflight);
	struct dmr_engine *engine = READ_ONCE(set->engine);

	if (!device)
		dmr_count(set, flushes, 1);
	if (unlikely(!engine)) {
		dmr_leave(&set->inflight, epoch);
		io->device = device;
		io->iter = bio->bi_iter;
		dmr_defer(set, bio, seen);
		return DM_MAPIO_SUBMITTED;
	}
	if (device > set->spare_count || (device && !dmr_engine_spares_used(engine))) {
		dmr_leave(&set->inflight, epoch);
		dmr_complete(bio, BLK_STS_OK);
		return DM_MAPIO_SUBMITTED;
	}
	io->stage = DMR_STAGE_FLYING;
	io->epoch = epoch;
	io->device = device;
	bio_set_dev(bio, set->devices[device].bdev);
	return DM_MAPIO_REMAPPED;
}

static int dmr_map(struct dm_target *ti, struct bio *bio)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;
	struct dmr_io *io = dmr_io(bio);

	io->stage = DMR_STAGE_PASS;
	io->status = BLK_STS_OK;
	if (unlikely(READ_ONCE(set->halted)))
		return DM_MAPIO_KILL;
	if (bio->bi_opf & REQ_PREFLUSH)
		return dmr_map_flush(set, bio);
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		dmr_count(set, reads, 1);
		dmr_count(set, sectors_read, bio_sectors(bio));
		break;
	case REQ_OP_WRITE:
	case REQ_OP_WRITE_ZEROES:
		dmr_count(set, writes, 1);
		dmr_count(set, sectors_written, bio_sectors(bio));
		break;
	case REQ_OP_DISCARD:
		dmr_count(set, discards, 1);
		break;
	default:
		return DM_MAPIO_KILL;
	}
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	return dmr_serve(set, bio);
}

/* Errors that recovery may have something to say to. */
static bool dmr_may_recover(struct bio *bio, blk_status_t error)
{
	if (bio_op(bio) == REQ_OP_DISCARD || (bio->bi_opf & REQ_PREFLUSH))
		return false;
	switch (error) {
	case BLK_STS_MEDIUM:
	case BLK_STS_IOERR:
	case BLK_STS_TIMEOUT:
	case BLK_STS_OFFLINE:
	case BLK_STS_TRANSPORT:
		return true;
	default:
		return false;
	}
}

static int dmr_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;
	struct dmr_io *io = dmr_io(bio);

	if (io->stage == DMR_STAGE_PASS)
		return DM_ENDIO_DONE;
	io->stage = DMR_STAGE_PASS;
	dmr_leave(&set->inflight, io->epoch);
	if (likely(!*error)) {
		/* An earlier piece of a bio that was served piece by piece. */
		*error = io->status;
		return DM_ENDIO_DONE;
	}
	if (!dmr_may_recover(bio, *error))
		return DM_ENDIO_DONE;
	dmr_fail(set, bio, io->device, dmr_error(*error));
	return DM_ENDIO_INCOMPLETE;
}

static void dmr_postsuspend(struct dm_target *ti)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;

	/* Nothing is under way: what recovery did last is told and done. */
	dmr_scrub_stop(set);
	if (!READ_ONCE(set->fallen))
		flush_workqueue(set->recovery_queue);
	mutex_lock(&set->table_lock);
	if (set->table == ti->table)
		set->table = NULL;
	mutex_unlock(&set->table_lock);
}

static int dmr_preresume(struct dm_target *ti)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;
	char why[256] = "";
	int result;

	if (!target->grow || READ_ONCE(set->halted))
		return 0;
	target->grow = false;
	if (bdev_nr_sectors(set->devices[0].bdev) == dmr_engine_sectors(set->engine))
		return 0;
	set->devices[0].sectors = bdev_nr_sectors(set->devices[0].bdev);
	result = dmr_set_reopen(set, DMR_OPTION_GROW, set->spare_count, why, sizeof(why));
	if (result)
		DMERR("%s: the set cannot grow: %s", dm_device_name(set->md), why);
	return result;
}

static void dmr_resume(struct dm_target *ti)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;

	mutex_lock(&set->table_lock);
	set->table = ti->table;
	mutex_unlock(&set->table_lock);
	/* What happened while it was suspended is told now. */
	queue_work(system_unbound_wq, &set->event_work);
}

static unsigned int dmr_table_options(struct dmr_target *target, char *result,
				      unsigned int maxlen, unsigned int sz)
{
	struct dmr_set *set = target->set;
	static const struct {
		unsigned int option;
		const char *name;
	} flags[] = {
		{ DMR_OPTION_READ_ONLY, "read_only" },
		{ DMR_OPTION_OTHER_MAIN, "accept_other_main" },
		{ DMR_OPTION_MISSING_SPARES, "accept_missing_spares" },
		{ DMR_OPTION_LOST_PAGES, "accept_lost_pages" },
	};
	unsigned int count = 2 * (target->device_count - 2), at;

	for (at = 0; at < ARRAY_SIZE(flags); at++)
		count += !!(set->options & flags[at].option);
	if (set->options & DMR_OPTION_ON_LOST_ZERO)
		count += 2;
	if (!count)
		return sz;
	DMEMIT(" %u", count);
	for (at = 2; at < target->device_count; at++)
		DMEMIT(" spare %s", target->devices[at]->name);
	for (at = 0; at < ARRAY_SIZE(flags); at++)
		if (set->options & flags[at].option)
			DMEMIT(" %s", flags[at].name);
	if (set->options & DMR_OPTION_ON_LOST_ZERO)
		DMEMIT(" on_lost zero");
	return sz;
}

static void dmr_status_fn(struct dm_target *ti, status_type_t type, unsigned int flags,
			  char *result, unsigned int maxlen)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		down_read(&set->engine_lock);
		if (READ_ONCE(set->halted) || !set->engine)
			DMEMIT("halted");
		else
			dmr_engine_status(set->engine, result, maxlen);
		up_read(&set->engine_lock);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %s", target->devices[0]->name, target->devices[1]->name);
		if (target->window)
			DMEMIT(" %llu %llu", (u64)set->devices[1].start,
			       (u64)set->devices[1].sectors);
		dmr_table_options(target, result, maxlen, sz);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",main_device=%s,spare_device=%s,spares=%u;", target->devices[0]->name,
		       target->devices[1]->name, set->spare_count);
		break;
	}
}

static int dmr_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct dmr_target *target = ti->private;
	struct dmr_set *set = target->set;
	unsigned int at;
	int result = fn(ti, target->devices[0], 0, ti->len, data);

	for (at = 1; !result && at < target->device_count; at++)
		result = fn(ti, target->devices[at], set->devices[at].start,
			    set->devices[at].sectors, data);
	return result;
}

static void dmr_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct dmr_target *target = ti->private;
	struct block_device *main = target->devices[0]->bdev;

	/* What a spare cannot discard does not keep the main device from it. */
	if (!bdev_max_discard_sectors(main))
		return;
	limits->discard_granularity = max(limits->discard_granularity,
					  bdev_discard_granularity(main));
}

/* The first is the target's name; users of dm-remap write the others. */
static const char * const dmr_names[] = { "remap", "dm-remap", "dm-remap-v4" };
static struct target_type dmr_types[ARRAY_SIZE(dmr_names)];

static const struct target_type dmr_type = {
	.features = DM_TARGET_NOWAIT,
	.version = { 1, 0, 0 },
	.module = THIS_MODULE,
	.ctr = dmr_ctr,
	.dtr = dmr_dtr,
	.map = dmr_map,
	.end_io = dmr_end_io,
	.postsuspend = dmr_postsuspend,
	.preresume = dmr_preresume,
	.resume = dmr_resume,
	.status = dmr_status_fn,
	.message = dmr_take_message,
	.iterate_devices = dmr_iterate_devices,
	.io_hints = dmr_io_hints,
};

static int __init dmr_init(void)
{
	unsigned int at;
	int result = dmr_sysfs_init();

	if (result)
		return result;
	for (at = 0; at < ARRAY_SIZE(dmr_names); at++) {
		dmr_types[at] = dmr_type;
		dmr_types[at].name = dmr_names[at];
		result = dm_register_target(&dmr_types[at]);
		if (result) {
			while (at--)
				dm_unregister_target(&dmr_types[at]);
			dmr_sysfs_exit();
			return result;
		}
	}
	return 0;
}

static void __exit dmr_exit(void)
{
	unsigned int at;

	for (at = 0; at < ARRAY_SIZE(dmr_names); at++)
		dm_unregister_target(&dmr_types[at]);
	dmr_sysfs_exit();
}

module_init(dmr_init);
module_exit(dmr_exit);

/* What device-mapper asks for when a table names a target that is not there. */
MODULE_ALIAS("dm-dm-remap");
MODULE_ALIAS("dm-dm-remap-v4");
MODULE_DESCRIPTION("device-mapper target that carries bad sectors to a spare device");
MODULE_AUTHOR("the dm-remap authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(DM_REMAP_VERSION);
