// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The surface scan: a thread that reads what the engine's plan says, at its
 * rate, and hands what cannot be read to recovery.
 */
#include <linux/kthread.h>
#include <linux/vmalloc.h>

#include "dm-remap.h"

/* The longest read of the plan: 1 MiB. */
#define DMR_SCRUB_BYTES	(1U << 20)

void dmr_scrub_init(struct dmr_scrub *scrub)
{
	mutex_init(&scrub->lock);
	scrub->state = "never";
}

/* Reads a range of the main device, and has recovered what fails in a small one. */
static int dmr_scrub_read(struct dmr_set *set, void *buffer, sector_t start, sector_t sectors)
{
	sector_t at = start, end = start + sectors;
	bool failed = false;

	while (at < end && !kthread_should_stop()) {
		struct dmr_piece piece;
		struct dmr_scrub_job job;
		u32 error = DMR_OK;
		u8 epoch;

		epoch = dmr_enter(&set->inflight);
		dmr_engine_resolve(set->engine, at, end - at, false, &piece);
		if (piece.place == DMR_PLACE_BUSY) {
			dmr_leave(&set->inflight, epoch);
			schedule_timeout_interruptible(1);
			continue;
		}
		if (piece.place == DMR_PLACE_DEVICE && !piece.device)
			error = dmr_rw(set, 0, false, at, piece.sectors, buffer);
		dmr_leave(&set->inflight, epoch);
		if (!error) {
			at += piece.sectors;
			continue;
		}
		if (error != DMR_MEDIUM && error != DMR_IO && error != DMR_TIMEOUT)
			return -EIO;
		failed = true;
		/* The plan comes back to it in small steps. */
		if (sectors > DMR_JOB_SECTORS)
			break;
		job = (struct dmr_scrub_job) {
			.start = at,
			.sectors = piece.sectors,
			.error = error,
		};
		dmr_scrub_recover(set, &job);
		/* That sectors are lost is what the scrub is to find out. */
		if (job.error && job.error != DMR_MEDIUM)
			return -EIO;
		at += piece.sectors;
	}
	if (failed) {
		dmr_scrub_failed(set->scrub.plan, start, sectors);
		set->scrub.failures++;
	}
	return 0;
}

static int dmr_verify_command(struct dmr_set *set, void *data)
{
	dmr_order_step(set->engine, data);
	return 0;
}

static int dmr_scrub_thread(void *data)
{
	struct dmr_set *set = data;
	struct dmr_scrub *scrub = &set->scrub;
	void *buffer = vmalloc(DMR_SCRUB_BYTES);
	const char *state = "failed";
	int result = buffer ? 0 : -ENOMEM;

	while (!result) {
		struct dmr_scrub_step step;
		u64 now = dmr_glue_now_ms();

		if (kthread_should_stop()) {
			state = "stopped";
			break;
		}
		dmr_scrub_next(scrub->plan, now, &step);
		if (step.kind == DMR_SCRUB_DONE) {
			state = "done";
			break;
		}
		switch (step.kind) {
		case DMR_SCRUB_WAIT:
			schedule_timeout_interruptible(msecs_to_jiffies(step.start - now) + 1);
			break;
		case DMR_SCRUB_READ:
			result = dmr_scrub_read(set, buffer, step.start, step.sectors);
			WRITE_ONCE(scrub->sectors_done, step.start + step.sectors);
			break;
		default:
			scrub->verify.kind = DMR_ORDER_VERIFY;
			scrub->verify.cursor = step.page;
			result = dmr_as_writer(set, dmr_verify_command, &scrub->verify);
			break;
		}
		cond_resched();
	}
	vfree(buffer);
	WRITE_ONCE(scrub->state, state);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static void dmr_scrub_end(struct dmr_scrub *scrub)
{
	if (!scrub->task)
		return;
	kthread_stop(scrub->task);
	scrub->task = NULL;
	dmr_scrub_free(scrub->plan);
	scrub->plan = NULL;
}

/* rate is in bytes per second, 0 is without limit. */
int dmr_scrub_start(struct dmr_set *set, u64 rate)
{
	struct dmr_scrub *scrub = &set->scrub;
	struct task_struct *task;
	int result = 0;

	mutex_lock(&scrub->lock);
	if (scrub->task && !strcmp(READ_ONCE(scrub->state), "running")) {
		result = -EBUSY;
		goto out;
	}
	dmr_scrub_end(scrub);
	scrub->plan = dmr_scrub_new(set->engine, rate, dmr_glue_now_ms());
	if (!scrub->plan) {
		result = -ENOMEM;
		goto out;
	}
	scrub->rate = rate;
	scrub->sectors_done = 0;
	scrub->failures = 0;
	memset(&scrub->verify, 0, sizeof(scrub->verify));
	task = kthread_create(dmr_scrub_thread, set, "dm_remap_scrub");
	if (IS_ERR(task)) {
		result = PTR_ERR(task);
		dmr_scrub_free(scrub->plan);
		scrub->plan = NULL;
		goto out;
	}
	scrub->task = task;
	scrub->state = "running";
	wake_up_process(task);
out:
	mutex_unlock(&scrub->lock);
	return result;
}

void dmr_scrub_stop(struct dmr_set *set)
{
	mutex_lock(&set->scrub.lock);
	dmr_scrub_end(&set->scrub);
	mutex_unlock(&set->scrub.lock);
}

/* The scrub's thread uses the engine, so there is none while the engine is exchanged. */
void dmr_scrub_forbid(struct dmr_set *set)
{
	mutex_lock(&set->scrub.lock);
	dmr_scrub_end(&set->scrub);
}

void dmr_scrub_allow(struct dmr_set *set)
{
	mutex_unlock(&set->scrub.lock);
}

void dmr_scrub_status(struct dmr_set *set, char *buffer, unsigned int length)
{
	struct dmr_scrub *scrub = &set->scrub;

	mutex_lock(&scrub->lock);
	snprintf(buffer, length,
		 "%s sectors %llu/%llu failures %llu copies_repaired %llu copies_bad %llu pages %llu",
		 READ_ONCE(scrub->state), READ_ONCE(scrub->sectors_done),
		 (u64)set->devices[0].sectors, scrub->failures, scrub->verify.repaired,
		 scrub->verify.failed, scrub->verify.cursor);
	mutex_unlock(&scrub->lock);
}
