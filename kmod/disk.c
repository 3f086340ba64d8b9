// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocking disk operations of the writer of a set, and errors by their kinds.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dm-remap.h"

/* The engine's name of an error. */
u8 dmr_error(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return DMR_OK;
	case BLK_STS_MEDIUM:
		return DMR_MEDIUM;
	case BLK_STS_TIMEOUT:
		return DMR_TIMEOUT;
	case BLK_STS_OFFLINE:
		return DMR_OFFLINE;
	case BLK_STS_TRANSPORT:
		return DMR_TRANSPORT;
	case BLK_STS_NOSPC:
		return DMR_NO_SPACE;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	case BLK_STS_RESV_CONFLICT:
#else
	case BLK_STS_NEXUS:
#endif
		return DMR_RESERVATION;
	case BLK_STS_NOTSUPP:
	case BLK_STS_TARGET:
		return DMR_UNSUPPORTED;
	default:
		return DMR_IO;
	}
}

/* What the user of the device is told. */
blk_status_t dmr_status(u32 error)
{
	switch (error) {
	case DMR_OK:
		return BLK_STS_OK;
	case DMR_MEDIUM:
		return BLK_STS_MEDIUM;
	case DMR_TIMEOUT:
		return BLK_STS_TIMEOUT;
	case DMR_OFFLINE:
		return BLK_STS_OFFLINE;
	case DMR_TRANSPORT:
		return BLK_STS_TRANSPORT;
	case DMR_NO_SPACE:
	case DMR_NO_ROOM:
		return BLK_STS_NOSPC;
	case DMR_RESERVATION:
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
		return BLK_STS_RESV_CONFLICT;
#else
		return BLK_STS_NEXUS;
#endif
	case DMR_UNSUPPORTED:
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_IOERR;
	}
}

static blk_status_t dmr_submit_wait(struct bio *bio)
{
	blk_status_t status = BLK_STS_OK;

	if (submit_bio_wait(bio))
		status = bio->bi_status ?: BLK_STS_IOERR;
	return status;
}

static struct bio *dmr_bio_alloc(struct dmr_set *set, unsigned int device, sector_t sector,
				 unsigned int pages, blk_opf_t opf)
{
	struct dmr_device *where = &set->devices[device];
	struct bio *bio = bio_alloc_bioset(where->bdev, pages, opf, GFP_NOIO, &set->bios);

	bio->bi_iter.bi_sector = where->start + sector;
	return bio;
}

/* Whether a range lies on a device of the set. */
static bool dmr_fits(struct dmr_set *set, unsigned int device, sector_t sector,
		     unsigned int sectors)
{
	return device <= set->spare_count && sectors &&
	       sector <= set->devices[device].sectors &&
	       sectors <= set->devices[device].sectors - sector;
}

/* Reads into, or writes from, memory of the kernel. */
u32 dmr_rw(struct dmr_set *set, unsigned int device, bool write, sector_t sector,
	   unsigned int sectors, void *data)
{
	blk_opf_t opf = (write ? REQ_OP_WRITE : REQ_OP_READ) | REQ_SYNC;

	if (!dmr_fits(set, device, sector, sectors))
		return DMR_UNSUPPORTED;
	if (is_vmalloc_addr(data) && write)
		flush_kernel_vmap_range(data, sectors << SECTOR_SHIFT);
	while (sectors) {
		unsigned int bytes = min_t(unsigned int, sectors << SECTOR_SHIFT, 64 * PAGE_SIZE);
		unsigned int pages = DIV_ROUND_UP(offset_in_page(data) + bytes, PAGE_SIZE);
		struct bio *bio = dmr_bio_alloc(set, device, sector, pages, opf);
		unsigned int done = 0;
		blk_status_t status;

		while (done < bytes) {
			void *at = data + done;
			unsigned int part = min_t(unsigned int, bytes - done,
						  PAGE_SIZE - offset_in_page(at));
			struct page *page = is_vmalloc_addr(at) ? vmalloc_to_page(at) :
								  virt_to_page(at);

			if (bio_add_page(bio, page, part, offset_in_page(at)) != part)
				break;
			done += part;
		}
		done = round_down(done, SECTOR_SIZE);
		if (!done) {
			bio_put(bio);
			return DMR_UNSUPPORTED;
		}
		status = dmr_submit_wait(bio);
		bio_put(bio);
		if (status)
			return dmr_error(status);
		if (is_vmalloc_addr(data) && !write)
			invalidate_kernel_vmap_range(data, done);
		data += done;
		sector += done >> SECTOR_SHIFT;
		sectors -= done >> SECTOR_SHIFT;
	}
	return DMR_OK;
}

/* Writes zeros, for a model that has no data. */
static blk_status_t dmr_sync_zeroes(struct dmr_set *set, unsigned int sectors,
				    unsigned int device, sector_t sector)
{
	blk_status_t status = BLK_STS_OK;

	while (sectors && !status) {
		unsigned int left = min_t(unsigned int, sectors, 64 * (PAGE_SIZE >> SECTOR_SHIFT));
		unsigned int pages = DIV_ROUND_UP(left << SECTOR_SHIFT, PAGE_SIZE);
		struct bio *bio = dmr_bio_alloc(set, device, sector, pages,
						REQ_OP_WRITE | REQ_SYNC);
		unsigned int done = 0;

		while (done < left) {
			unsigned int part = min_t(unsigned int, left - done,
						  PAGE_SIZE >> SECTOR_SHIFT);
			unsigned int bytes = part << SECTOR_SHIFT;

			if (bio_add_page(bio, ZERO_PAGE(0), bytes, 0) != bytes)
				break;
			done += part;
		}
		if (!done) {
			bio_put(bio);
			return BLK_STS_NOTSUPP;
		}
		status = dmr_submit_wait(bio);
		bio_put(bio);
		sector += done;
		sectors -= done;
	}
	return status;
}

/*
 * Sends a part of a bio to a device, and waits for it. What the device does
 * with the part is said by opf; the bio itself is not changed.
 */
blk_status_t dmr_sync_bio(struct dmr_set *set, struct bio *model, struct bvec_iter iter,
			  unsigned int sectors, unsigned int device, sector_t sector,
			  blk_opf_t opf)
{
	blk_status_t status;
	struct bio *bio;

	if (!dmr_fits(set, device, sector, sectors) ||
	    sectors > iter.bi_size >> SECTOR_SHIFT)
		return BLK_STS_NOTSUPP;
	if (bio_op(model) == REQ_OP_WRITE_ZEROES)
		return dmr_sync_zeroes(set, sectors, device, sector);
	bio = bio_alloc_clone(set->devices[device].bdev, model, GFP_NOIO, &set->bios);
	if (!bio)
		return BLK_STS_RESOURCE;
	bio->bi_opf = opf | REQ_SYNC;
	bio->bi_iter = iter;
	bio->bi_iter.bi_sector = set->devices[device].start + sector;
	bio->bi_iter.bi_size = sectors << SECTOR_SHIFT;
	status = dmr_submit_wait(bio);
	bio_put(bio);
	return status;
}

/* What the engine calls. */

void *dmr_glue_alloc(u64 bytes)
{
	if (bytes > SIZE_MAX)
		return NULL;
	if (bytes < PAGE_SIZE)
		return kzalloc(bytes, GFP_KERNEL);
	/*
	 * By pages, so that it is aligned for every disk. Not more of a table
	 * than there is memory: vmalloc says so by itself. Large pages spare a
	 * lookup the walk through the page tables.
	 */
	if (bytes >= PMD_SIZE)
		return vmalloc_huge(bytes, GFP_KERNEL | __GFP_ZERO);
	return vzalloc(bytes);
}

void dmr_glue_free(void *memory)
{
	kvfree(memory);
}

u64 dmr_glue_now_ms(void)
{
	return ktime_to_ms(ktime_get_boottime());
}

u32 dmr_glue_rw(void *context, u32 device, u32 write, u64 sector, u32 sectors, void *data)
{
	return dmr_rw(context, device, write, sector, sectors, data);
}

u32 dmr_glue_flush(void *context, u32 device)
{
	struct dmr_set *set = context;
	blk_status_t status;
	struct bio *bio;

	if (device > set->spare_count)
		return DMR_UNSUPPORTED;
	bio = dmr_bio_alloc(set, device, 0, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	bio->bi_iter.bi_sector = 0;
	status = dmr_submit_wait(bio);
	bio_put(bio);
	return dmr_error(status);
}

void dmr_glue_drain(void *context)
{
	struct dmr_set *set = context;

	dmr_inflight_drain(&set->inflight);
}

void dmr_glue_released(void *context)
{
	dmr_release(context);
}
