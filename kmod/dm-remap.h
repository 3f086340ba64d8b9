/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the glue know of each other.
 *
 * A dmr_set is one main device with its spares and its engine. It outlives a
 * table: the targets of the old and of the new one share it while a table is
 * reloaded. A dmr_target is one line of a table.
 */
#ifndef DM_REMAP_H
#define DM_REMAP_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/version.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "remap_core.h"

#define DM_MSG_PREFIX "remap"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define DMR_MODE_WRITE	BLK_OPEN_WRITE
#else
#define DMR_MODE_WRITE	FMODE_WRITE
#endif


/* A device of a set, or a part of one. */
struct dmr_device {
	struct block_device *bdev;
	sector_t start;
	sector_t sectors;
};

/*
 * Requests under way, in two epochs so that a drain ends although new ones
 * come. See inflight.c.
 */
struct dmr_inflight_cpu {
	u64 in[2];
	u64 out[2];
};

struct dmr_inflight {
	struct dmr_inflight_cpu __percpu *cpu;
	unsigned int epoch;
	bool draining;
	wait_queue_head_t drained;
};

/* The part of a bio, or of the scrub, that a job of the batch at work is about. */
struct dmr_job_memory {
	struct bio *bio;
	struct bvec_iter iter;
	struct dmr_scrub_job *scrub;
};

/* A range that the scrub could not read. */
struct dmr_scrub_job {
	struct list_head list;
	sector_t start;
	sector_t sectors;
	u8 error;
	struct completion done;
};

struct dmr_scrub {
	struct mutex lock;
	struct task_struct *task;
	struct dmr_scrub_plan *plan;
	u64 rate;
	const char *state;
	u64 sectors_done;
	u64 failures;
	struct dmr_order verify;
};

struct dmr_set {
	struct list_head list;
	struct mapped_device *md;
	unsigned int targets;
	/* Spares are being changed: nobody may get a share of the set. */
	bool changing;
	struct dmr_device devices[DMR_MAX_DEVICES];
	unsigned int spare_count;
	unsigned int options;

	/* Held by who adds or removes a member. */
	struct mutex change_lock;

	/* The engine: NULL while it is exchanged. Readers outside of map hold the lock. */
	struct dmr_engine *engine;
	struct rw_semaphore engine_lock;
	bool halted;
	/* Who is the writer now, and whether a broken invariant was found in its hands. */
	struct task_struct *writer;
	bool fallen;
	/* For tests of that: the next batch finds a broken invariant. */
	bool break_next;

	struct dmr_inflight inflight;
	struct dmr_io_counts __percpu *counts;

	/* Bios that wait: for the release of what is held, and for recovery. */
	spinlock_t lock;
	unsigned long releases;
	struct bio_list deferred;
	struct bio_list failed;
	struct list_head scrub_jobs;
	struct work_struct deferred_work;
	struct work_struct recovery_work;
	/* Ordered: what runs on it is the writer of the set. */
	struct workqueue_struct *recovery_queue;
	struct workqueue_struct *deferred_queue;

	/* The batch at work. */
	struct dmr_job jobs[DMR_MAX_BATCH];
	struct dmr_job_memory memory[DMR_MAX_BATCH];
	struct bio_set bios;

	/* Events: told to the live table, if there is one. */
	struct mutex table_lock;
	struct dm_table *table;
	bool event_due;
	struct work_struct event_work;
	unsigned long events;
	time64_t last_remap;
	time64_t last_error;
	time64_t opened;

	struct dmr_scrub scrub;
	struct kobject kobj;
	struct completion kobj_gone;
};

struct dmr_target {
	struct dm_target *ti;
	struct dmr_set *set;
	struct dm_dev *devices[DMR_MAX_DEVICES];
	unsigned int device_count;
	bool grow;
	bool window;
};

/* Per bio. */
enum dmr_stage {
	/* Not tracked: completes as it is. */
	DMR_STAGE_PASS,
	/* At a device, counted as under way. */
	DMR_STAGE_FLYING,
};

struct dmr_io {
	/* What is left to be done, in the set's own sectors. */
	struct bvec_iter iter;
	unsigned int jobs;
	blk_status_t status;
	u8 stage;
	u8 epoch;
	u8 device;
	u8 error;
};

static inline struct dmr_io *dmr_io(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct dmr_io));
}

#define dmr_count(set, field, n) this_cpu_add((set)->counts->field, (n))

/* inflight.c */
int dmr_inflight_init(struct dmr_inflight *inflight);
void dmr_inflight_exit(struct dmr_inflight *inflight);
void dmr_inflight_drain(struct dmr_inflight *inflight);

static inline u8 dmr_enter(struct dmr_inflight *inflight)
{
	unsigned int epoch;

	for (;;) {
		epoch = READ_ONCE(inflight->epoch) & 1;
		this_cpu_inc(inflight->cpu->in[epoch]);
		/* Pairs with the barriers in dmr_inflight_drain(). */
		smp_mb();
		if (likely((READ_ONCE(inflight->epoch) & 1) == epoch))
			return epoch;
		this_cpu_inc(inflight->cpu->out[epoch]);
	}
}

static inline void dmr_leave(struct dmr_inflight *inflight, u8 epoch)
{
	/*
	 * What was done before is seen by who sees the count; pairs as above.
	 * x86, the only architecture there is an engine for, keeps earlier
	 * loads and stores before a later store by itself.
	 */
	barrier();
	this_cpu_inc(inflight->cpu->out[epoch]);
	if (unlikely(READ_ONCE(inflight->draining)))
		wake_up(&inflight->drained);
}

/* disk.c */
blk_status_t dmr_status(u32 error);
u8 dmr_error(blk_status_t status);
blk_status_t dmr_sync_bio(struct dmr_set *set, struct bio *model, struct bvec_iter iter,
			  unsigned int sectors, unsigned int device, sector_t sector,
			  blk_opf_t opf);
u32 dmr_rw(struct dmr_set *set, unsigned int device, bool write, sector_t sector,
	   unsigned int sectors, void *data);

/* serve.c */
int dmr_serve(struct dmr_set *set, struct bio *bio);
void dmr_defer(struct dmr_set *set, struct bio *bio, unsigned long seen);
void dmr_deferred_work(struct work_struct *work);
void dmr_release(struct dmr_set *set);
void dmr_complete(struct bio *bio, blk_status_t status);
void dmr_zero_part(struct bio *bio, struct bvec_iter iter, unsigned int sectors);
void dmr_io_counts_sum(struct dmr_set *set, struct dmr_io_counts *sum);
void dmr_io_counts_clear(struct dmr_set *set);

/* recovery.c */
void dmr_fail(struct dmr_set *set, struct bio *bio, unsigned int device, u8 error);
void dmr_recovery_work(struct work_struct *work);
void dmr_fail_all(struct dmr_set *set);
void dmr_scrub_recover(struct dmr_set *set, struct dmr_scrub_job *job);
/* Has work done by the writer of the set, and waits for it. */
int dmr_as_writer(struct dmr_set *set, int (*work)(struct dmr_set *set, void *data), void *data);

/* set.c */
struct dmr_set *dmr_set_get(struct dmr_target *target, const struct dmr_table *table,
			    const char *name, char *why, unsigned int why_length);
void dmr_set_put(struct dmr_set *set);
int dmr_set_reopen(struct dmr_set *set, unsigned int option, unsigned int spare_count,
		   char *why, unsigned int why_length);
int dmr_set_change_begin(struct dmr_set *set);
void dmr_set_change_end(struct dmr_set *set);
struct dmr_params *dmr_params_new(struct dmr_set *set, unsigned int spare_count);
bool dmr_set_of_device(struct block_device *bdev);
void dmr_sets_halt(void);
void dmr_sets_for_each(void (*visit)(struct dmr_set *set, void *data), void *data);

/* event.c */
void dmr_event_work(struct work_struct *work);

/* message.c */
int dmr_take_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
		     unsigned int maxlen);

/* scrub.c */
void dmr_scrub_init(struct dmr_scrub *scrub);
int dmr_scrub_start(struct dmr_set *set, u64 rate);
void dmr_scrub_stop(struct dmr_set *set);
/* Stops the scrub and keeps others from starting one until it is allowed again. */
void dmr_scrub_forbid(struct dmr_set *set);
void dmr_scrub_allow(struct dmr_set *set);
void dmr_scrub_status(struct dmr_set *set, char *buffer, unsigned int length);

/* sysfs.c */
int dmr_sysfs_init(void);
void dmr_sysfs_exit(void);
int dmr_sysfs_add(struct dmr_set *set, unsigned int number);
void dmr_sysfs_remove(struct dmr_set *set);

#endif
