// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The path of every request: where the engine says it lives, there it goes.
 *
 * Nothing here allocates or sleeps on the way down; a request that meets what
 * recovery holds is put aside, and goes on from the deferred work.
 */
#include "dm-remap.h"

/* Ends a bio that the target had kept. */
void dmr_complete(struct bio *bio, blk_status_t status)
{
	struct dmr_io *io = dmr_io(bio);

	io->stage = DMR_STAGE_PASS;
	bio->bi_status = status ?: io->status;
	bio_endio(bio);
}

/*
 * Puts a bio aside. seen is the number of releases that the caller knew of
 * before it met what is held: if one has come since, there may be no other.
 */
void dmr_defer(struct dmr_set *set, struct bio *bio, unsigned long seen)
{
	unsigned long flags;
	bool missed;

	dmr_count(set, waits, 1);
	spin_lock_irqsave(&set->lock, flags);
	bio_list_add(&set->deferred, bio);
	missed = set->releases != seen;
	spin_unlock_irqrestore(&set->lock, flags);
	if (missed)
		queue_work(set->deferred_queue, &set->deferred_work);
}

/* What was held is held no more: lets the waiting requests go on. */
void dmr_release(struct dmr_set *set)
{
	unsigned long flags;
	bool waiting;

	spin_lock_irqsave(&set->lock, flags);
	set->releases++;
	waiting = !bio_list_empty(&set->deferred);
	spin_unlock_irqrestore(&set->lock, flags);
	if (waiting)
		queue_work(set->deferred_queue, &set->deferred_work);
}

static void dmr_count_piece(struct dmr_set *set, const struct dmr_piece *piece)
{
	switch (piece->place) {
	case DMR_PLACE_DEVICE:
		if (!piece->device)
			dmr_count(set, pieces_to_main, 1);
		else
			dmr_count(set, pieces_to_spare, 1);
		break;
	case DMR_PLACE_LOST:
	case DMR_PLACE_ZERO:
		dmr_count(set, pieces_lost, 1);
		break;
	default:
		return;
	}
	if (piece->filtered)
		dmr_count(set, filter_passes, 1);
	else
		dmr_count(set, table_lookups, 1);
}

/* Keeps a discard from looking up millions of blocks in one go: 32 MiB. */
#define DMR_DISCARD_SECTORS	65536U

/* A request of sectors, on its way down. */
int dmr_serve(struct dmr_set *set, struct bio *bio)
{
	struct dmr_io *io = dmr_io(bio);
	bool write = op_is_write(bio_op(bio));
	sector_t sector = bio->bi_iter.bi_sector;
	unsigned int sectors = bio_sectors(bio);
	struct dmr_engine *engine;
	struct dmr_piece piece;
	unsigned long seen;
	u8 epoch;

	if (bio_op(bio) == REQ_OP_DISCARD)
		sectors = min(sectors, DMR_DISCARD_SECTORS);
	seen = READ_ONCE(set->releases);
	epoch = dmr_enter(&set->inflight);
	engine = READ_ONCE(set->engine);
	if (unlikely(!engine))
		piece.place = DMR_PLACE_BUSY;
	else
		dmr_engine_resolve(engine, sector, sectors, write, &piece);

	if (unlikely(piece.place == DMR_PLACE_BUSY)) {
		dmr_leave(&set->inflight, epoch);
		if (bio->bi_opf & REQ_NOWAIT) {
			dmr_complete(bio, BLK_STS_AGAIN);
			return DM_MAPIO_SUBMITTED;
		}
		io->iter = bio->bi_iter;
		dmr_defer(set, bio, seen);
		return DM_MAPIO_SUBMITTED;
	}
	if (piece.sectors < bio_sectors(bio))
		dm_accept_partial_bio(bio, piece.sectors);
	io->iter = bio->bi_iter;
	dmr_count_piece(set, &piece);

	if (likely(piece.place == DMR_PLACE_DEVICE &&
		   (!piece.device || bio_op(bio) != REQ_OP_DISCARD))) {
		io->stage = DMR_STAGE_FLYING;
		io->epoch = epoch;
		io->device = piece.device;
		bio_set_dev(bio, set->devices[piece.device].bdev);
		bio->bi_iter.bi_sector = set->devices[piece.device].start + piece.start;
		return DM_MAPIO_REMAPPED;
	}

	dmr_leave(&set->inflight, epoch);
	if (piece.place == DMR_PLACE_READ_ONLY) {
		dmr_complete(bio, BLK_STS_IOERR);
	} else if (bio_op(bio) == REQ_OP_DISCARD) {
		/* Moved and lost sectors stay as they are. */
		dmr_complete(bio, BLK_STS_OK);
	} else if (write) {
		dmr_fail(set, bio, 0, DMR_OK);
	} else if (piece.place == DMR_PLACE_ZERO) {
		zero_fill_bio(bio);
		dmr_complete(bio, BLK_STS_OK);
	} else {
		dmr_complete(bio, BLK_STS_MEDIUM);
	}
	return DM_MAPIO_SUBMITTED;
}

/* Zeros in the first sectors of a part of a bio. */
void dmr_zero_part(struct bio *bio, struct bvec_iter iter, unsigned int sectors)
{
	struct bio_vec bv;
	struct bvec_iter at;

	iter.bi_size = sectors << SECTOR_SHIFT;
	__bio_for_each_segment(bv, bio, at, iter)
		memzero_bvec(&bv);
}

/* A flush that came while the engine was being exchanged; its device may have left. */
static void dmr_serve_deferred_flush(struct dmr_set *set, struct bio *bio)
{
	struct dmr_io *io = dmr_io(bio);
	unsigned long seen = READ_ONCE(set->releases);
	u8 epoch = dmr_enter(&set->inflight);

	if (!READ_ONCE(set->engine) && !READ_ONCE(set->halted)) {
		dmr_leave(&set->inflight, epoch);
		dmr_defer(set, bio, seen);
	} else if (READ_ONCE(set->halted) || io->device > set->spare_count) {
		dmr_leave(&set->inflight, epoch);
		dmr_complete(bio, set->halted ? BLK_STS_IOERR : BLK_STS_OK);
	} else {
		io->stage = DMR_STAGE_FLYING;
		io->epoch = epoch;
		bio_set_dev(bio, set->devices[io->device].bdev);
		submit_bio_noacct(bio);
	}
}

/*
 * Serves a bio that waited. It cannot be split as on its way down, so a bio
 * whose sectors have come to live in several places is served piece by piece.
 */
static void dmr_serve_deferred(struct dmr_set *set, struct bio *bio)
{
	struct dmr_io *io = dmr_io(bio);
	bool write = op_is_write(bio_op(bio));

	if (bio->bi_opf & REQ_PREFLUSH) {
		dmr_serve_deferred_flush(set, bio);
		return;
	}
	while (io->iter.bi_size) {
		unsigned int left = io->iter.bi_size >> SECTOR_SHIFT;
		struct dmr_engine *engine;
		struct dmr_piece piece;
		unsigned long seen;
		blk_status_t status;
		u8 epoch;

		if (unlikely(READ_ONCE(set->halted))) {
			dmr_complete(bio, BLK_STS_IOERR);
			return;
		}
		if (bio_op(bio) == REQ_OP_DISCARD)
			left = min(left, DMR_DISCARD_SECTORS);
		seen = READ_ONCE(set->releases);
		epoch = dmr_enter(&set->inflight);
		engine = READ_ONCE(set->engine);
		if (engine)
			dmr_engine_resolve(engine, io->iter.bi_sector, left, write, &piece);
		else
			piece.place = DMR_PLACE_BUSY;
		if (piece.place == DMR_PLACE_BUSY) {
			dmr_leave(&set->inflight, epoch);
			dmr_defer(set, bio, seen);
			return;
		}
		dmr_count_piece(set, &piece);
		if (piece.place == DMR_PLACE_DEVICE &&
		    (!piece.device || bio_op(bio) != REQ_OP_DISCARD)) {
			if (piece.sectors == io->iter.bi_size >> SECTOR_SHIFT) {
				io->stage = DMR_STAGE_FLYING;
				io->epoch = epoch;
				io->device = piece.device;
				bio->bi_iter = io->iter;
				bio_set_dev(bio, set->devices[piece.device].bdev);
				bio->bi_iter.bi_sector =
					set->devices[piece.device].start + piece.start;
				submit_bio_noacct(bio);
				return;
			}
			status = dmr_sync_bio(set, bio, io->iter, piece.sectors, piece.device,
					      piece.start,
					      bio->bi_opf & (REQ_OP_MASK | REQ_FUA));
			dmr_leave(&set->inflight, epoch);
			if (status && bio_op(bio) != REQ_OP_DISCARD) {
				dmr_fail(set, bio, piece.device, dmr_error(status));
				return;
			}
		} else {
			dmr_leave(&set->inflight, epoch);
			if (piece.place == DMR_PLACE_READ_ONLY) {
				dmr_complete(bio, BLK_STS_IOERR);
				return;
			}
			if (bio_op(bio) == REQ_OP_DISCARD) {
				/* Moved and lost sectors stay as they are. */
			} else if (write) {
				dmr_fail(set, bio, 0, DMR_OK);
				return;
			} else if (piece.place == DMR_PLACE_ZERO) {
				dmr_zero_part(bio, io->iter, piece.sectors);
			} else {
				io->status = BLK_STS_MEDIUM;
			}
		}
		if (bio_op(bio) == REQ_OP_DISCARD || bio_op(bio) == REQ_OP_WRITE_ZEROES) {
			io->iter.bi_sector += piece.sectors;
			io->iter.bi_size -= piece.sectors << SECTOR_SHIFT;
		} else {
			bio_advance_iter(bio, &io->iter, piece.sectors << SECTOR_SHIFT);
		}
	}
	dmr_complete(bio, BLK_STS_OK);
}

void dmr_deferred_work(struct work_struct *work)
{
	struct dmr_set *set = container_of(work, struct dmr_set, deferred_work);
	struct bio_list waiting;
	struct blk_plug plug;
	struct bio *bio;

	spin_lock_irq(&set->lock);
	waiting = set->deferred;
	bio_list_init(&set->deferred);
	spin_unlock_irq(&set->lock);

	if (READ_ONCE(set->fallen))
		dmr_fail_all(set);
	blk_start_plug(&plug);
	while ((bio = bio_list_pop(&waiting)))
		dmr_serve_deferred(set, bio);
	blk_finish_plug(&plug);
}

/* What all processors counted. */
void dmr_io_counts_sum(struct dmr_set *set, struct dmr_io_counts *sum)
{
	int cpu, at;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const u64 *from = (const u64 *)per_cpu_ptr(set->counts, cpu);
		u64 *to = (u64 *)sum;

		for (at = 0; at < sizeof(*sum) / sizeof(u64); at++)
			to[at] += READ_ONCE(from[at]);
	}
}

void dmr_io_counts_clear(struct dmr_set *set)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(set->counts, cpu), 0, sizeof(struct dmr_io_counts));
}
