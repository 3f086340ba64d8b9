// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Failed requests on their way to the engine's recovery, and back.
 *
 * A completion only puts the bio on a list: no lock but the list's, no
 * allocation. The recovery work takes what has come together as one batch.
 */
#include "dm-remap.h"

/*
 * Hands what is left of a bio to recovery: it failed at a device with error,
 * or nothing was tried (DMR_OK), since its sectors live nowhere.
 */
void dmr_fail(struct dmr_set *set, struct bio *bio, unsigned int device, u8 error)
{
	struct dmr_io *io = dmr_io(bio);
	unsigned long flags;

	io->device = device;
	io->error = error;
	io->jobs = 0;
	spin_lock_irqsave(&set->lock, flags);
	bio_list_add(&set->failed, bio);
	spin_unlock_irqrestore(&set->lock, flags);
	queue_work(set->recovery_queue, &set->recovery_work);
}

/* Hands a range that the scrub could not read to recovery, and waits. */
void dmr_scrub_recover(struct dmr_set *set, struct dmr_scrub_job *job)
{
	init_completion(&job->done);
	spin_lock_irq(&set->lock);
	list_add_tail(&job->list, &set->scrub_jobs);
	spin_unlock_irq(&set->lock);
	queue_work(set->recovery_queue, &set->recovery_work);
	wait_for_completion(&job->done);
}

static u32 dmr_job_kind(struct bio *bio)
{
	if (!op_is_write(bio_op(bio)))
		return DMR_JOB_READ;
	return bio->bi_opf & REQ_FUA ? DMR_JOB_WRITE_DURABLE : DMR_JOB_WRITE;
}

static void dmr_advance(struct bio *bio, struct bvec_iter *iter, unsigned int sectors)
{
	if (bio_op(bio) == REQ_OP_WRITE_ZEROES) {
		iter->bi_sector += sectors;
		iter->bi_size -= sectors << SECTOR_SHIFT;
	} else {
		bio_advance_iter(bio, iter, sectors << SECTOR_SHIFT);
	}
}

/* Makes jobs of a bio; true when all of it is in the batch. */
static bool dmr_take_bio(struct dmr_set *set, struct bio *bio, unsigned int *count)
{
	struct dmr_io *io = dmr_io(bio);

	while (io->iter.bi_size) {
		unsigned int room = DMR_JOB_SECTORS - (io->iter.bi_sector & (DMR_JOB_SECTORS - 1));
		unsigned int sectors = min(room, io->iter.bi_size >> SECTOR_SHIFT);

		if (*count == DMR_MAX_BATCH)
			return false;
		set->jobs[*count] = (struct dmr_job) {
			.start = io->iter.bi_sector,
			.sectors = sectors,
			.kind = dmr_job_kind(bio),
			.device = io->device,
			.error = io->error,
		};
		set->memory[*count] = (struct dmr_job_memory) { .bio = bio, .iter = io->iter };
		set->memory[*count].iter.bi_size = sectors << SECTOR_SHIFT;
		dmr_advance(bio, &io->iter, sectors);
		io->jobs++;
		(*count)++;
	}
	return true;
}

static unsigned int dmr_take_batch(struct dmr_set *set)
{
	struct dmr_scrub_job *scrub;
	unsigned int count = 0;
	struct bio *bio;

	spin_lock_irq(&set->lock);
	while (count < DMR_MAX_BATCH && (bio = bio_list_pop(&set->failed))) {
		if (!dmr_take_bio(set, bio, &count)) {
			bio_list_add_head(&set->failed, bio);
			break;
		}
	}
	while (count < DMR_MAX_BATCH && !list_empty(&set->scrub_jobs)) {
		scrub = list_first_entry(&set->scrub_jobs, struct dmr_scrub_job, list);
		list_del(&scrub->list);
		set->jobs[count] = (struct dmr_job) {
			.start = scrub->start,
			.sectors = scrub->sectors,
			.kind = DMR_JOB_SCRUB,
			.error = scrub->error,
		};
		set->memory[count++] = (struct dmr_job_memory) { .scrub = scrub };
	}
	spin_unlock_irq(&set->lock);
	return count;
}

void dmr_recovery_work(struct work_struct *work)
{
	struct dmr_set *set = container_of(work, struct dmr_set, recovery_work);
	unsigned int count, at;

	/* While the engine is exchanged, whoever exchanges it queues this again. */
	if (!set->engine && !READ_ONCE(set->halted))
		return;
	count = dmr_take_batch(set);
	if (!count)
		return;
	if (READ_ONCE(set->halted)) {
		for (at = 0; at < count; at++)
			dmr_glue_finished(set, at, DMR_IO);
	} else {
		set->writer = current;
		dmr_engine_break(set->break_next);
		dmr_engine_batch(set->engine, set->jobs, count);
		set->writer = NULL;
		/* Others than failed requests have their turn between. */
		if (set->events)
			queue_work(system_unbound_wq, &set->event_work);
	}
	queue_work(set->recovery_queue, &set->recovery_work);
}

/* In the place of a writer that never comes back: what it had at hand, and what waits for it, fails. */
void dmr_fail_all(struct dmr_set *set)
{
	unsigned int at, count = DMR_MAX_BATCH;

	do {
		for (at = 0; at < count; at++)
			dmr_glue_finished(set, at, DMR_IO);
		count = dmr_take_batch(set);
	} while (count);
}

/* What the engine calls during a batch. */

static struct dmr_job_memory *dmr_job_memory(struct dmr_set *set, u32 job)
{
	return job < DMR_MAX_BATCH && set->memory[job].bio ? &set->memory[job] : NULL;
}

u32 dmr_glue_job_rw(void *context, u32 device, u32 write, u64 sector, u32 sectors,
		    u32 job, u32 offset)
{
	struct dmr_set *set = context;
	struct dmr_job_memory *memory = dmr_job_memory(set, job);
	struct bvec_iter iter;
	blk_opf_t opf;

	if (!memory || offset > memory->iter.bi_size >> SECTOR_SHIFT)
		return DMR_UNSUPPORTED;
	iter = memory->iter;
	dmr_advance(memory->bio, &iter, offset);
	opf = write ? REQ_OP_WRITE : REQ_OP_READ;
	return dmr_error(dmr_sync_bio(set, memory->bio, iter, sectors, device, sector, opf));
}

void dmr_glue_deliver(void *context, u32 job, u32 offset, u32 sectors, const void *from)
{
	struct dmr_job_memory *memory = dmr_job_memory(context, job);
	struct bvec_iter iter, at;
	struct bio_vec bv;

	if (!memory || (u64)offset + sectors > memory->iter.bi_size >> SECTOR_SHIFT)
		return;
	iter = memory->iter;
	dmr_advance(memory->bio, &iter, offset);
	iter.bi_size = sectors << SECTOR_SHIFT;
	__bio_for_each_segment(bv, memory->bio, at, iter) {
		memcpy_to_bvec(&bv, from);
		from += bv.bv_len;
	}
}

/*
 * Where lost sectors read as zeros, the read that finds them lost does so too:
 * recovery has recorded them by now, so the read is taken once more from where
 * everything lives. What fails again was not recorded, and fails.
 */
static u32 dmr_read_again(struct dmr_set *set, const struct dmr_job_memory *memory)
{
	struct bvec_iter iter = memory->iter;
	u32 error = DMR_OK;

	while (iter.bi_size && !error) {
		u8 epoch = dmr_enter(&set->inflight);
		struct dmr_piece piece;

		dmr_engine_resolve(set->engine, iter.bi_sector, iter.bi_size >> SECTOR_SHIFT,
				   false, &piece);
		switch (piece.place) {
		case DMR_PLACE_DEVICE:
			error = dmr_error(dmr_sync_bio(set, memory->bio, iter, piece.sectors,
						       piece.device, piece.start, REQ_OP_READ));
			break;
		case DMR_PLACE_ZERO:
			dmr_zero_part(memory->bio, iter, piece.sectors);
			break;
		default:
			error = DMR_MEDIUM;
		}
		dmr_leave(&set->inflight, epoch);
		bio_advance_iter(memory->bio, &iter, piece.sectors << SECTOR_SHIFT);
	}
	return error;
}

void dmr_glue_finished(void *context, u32 job, u32 error)
{
	struct dmr_set *set = context;
	struct dmr_job_memory memory;
	struct dmr_io *io;

	if (job >= DMR_MAX_BATCH)
		return;
	memory = set->memory[job];
	set->memory[job] = (struct dmr_job_memory) { };
	if (memory.scrub) {
		memory.scrub->error = error;
		complete(&memory.scrub->done);
	}
	if (!memory.bio)
		return;
	if (error == DMR_MEDIUM && bio_op(memory.bio) == REQ_OP_READ &&
	    dmr_engine_reads_zero(set->engine))
		error = dmr_read_again(set, &memory);
	io = dmr_io(memory.bio);
	if (error && !io->status)
		io->status = dmr_status(error);
	/* The last job of this batch; the bio may have more in the next one. */
	if (!--io->jobs && !io->iter.bi_size)
		dmr_complete(memory.bio, BLK_STS_OK);
}

/* Work for the writer of the set, from whoever may sleep. */

struct dmr_command {
	struct work_struct work;
	struct dmr_set *set;
	int (*run)(struct dmr_set *set, void *data);
	void *data;
	int result;
};

static void dmr_command_work(struct work_struct *work)
{
	struct dmr_command *command = container_of(work, struct dmr_command, work);
	struct dmr_set *set = command->set;

	if (READ_ONCE(set->halted) || !set->engine) {
		command->result = -EIO;
	} else {
		set->writer = current;
		command->result = command->run(set, command->data);
		set->writer = NULL;
	}
	if (set->events)
		queue_work(system_unbound_wq, &set->event_work);
}

int dmr_as_writer(struct dmr_set *set, int (*work)(struct dmr_set *set, void *data), void *data)
{
	struct dmr_command command = { .set = set, .run = work, .data = data };

	if (READ_ONCE(set->halted))
		return -EIO;
	INIT_WORK_ONSTACK(&command.work, dmr_command_work);
	queue_work(set->recovery_queue, &command.work);
	flush_work(&command.work);
	destroy_work_on_stack(&command.work);
	return command.result;
}

/*
 * The engine's own assertion failed: nothing more is written by any set, and
 * every request fails. The machine goes on.
 */
void dmr_glue_panic(const char *file, u32 length, u32 line)
{
	pr_crit("dm-remap: broken invariant at %.*s:%u: all sets stop\n", (int)length, file, line);
	dmr_sets_halt();
	if (!in_task() || irqs_disabled())
		BUG();
	for (;;)
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
}
