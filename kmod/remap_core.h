/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface between the glue in C and the engine in Rust (kmod/rust).
 *
 * Every decision is the engine's; the glue moves bios, memory, time and locks.
 * kmod/rust/src/abi.rs says the same in Rust; both sides assert the sizes.
 */
#ifndef DM_REMAP_CORE_H
#define DM_REMAP_CORE_H

#include <linux/build_bug.h>
#include <linux/types.h>

#define DMR_MAX_SPARES		16
#define DMR_MAX_DEVICES		(DMR_MAX_SPARES + 1)
/* How many jobs a batch has at most, and how many sectors a job. */
#define DMR_MAX_BATCH		64
#define DMR_JOB_SECTORS		256U

/* How a disk operation or a job went. 0 is well. */
enum dmr_error {
	DMR_OK = 0,
	DMR_MEDIUM = 1,
	DMR_IO = 2,
	DMR_TIMEOUT = 3,
	DMR_OFFLINE = 4,
	DMR_TRANSPORT = 5,
	DMR_NO_SPACE = 6,
	DMR_RESERVATION = 7,
	DMR_UNSUPPORTED = 8,
	/* Of jobs only. */
	DMR_NO_ROOM = 9,
	DMR_READ_ONLY = 10,
	DMR_METADATA = 11,
	DMR_HOLDS_LOST = 12,
	DMR_NOT_VERIFIED = 13,
};

struct dmr_spare_params {
	u64 sectors;
	u32 logical_bytes;
	u32 padding;
};

#define DMR_OPTION_READ_ONLY		(1U << 0)
#define DMR_OPTION_FORCE		(1U << 1)
#define DMR_OPTION_ON_LOST_ERROR	(1U << 2)
#define DMR_OPTION_ON_LOST_ZERO		(1U << 3)
#define DMR_OPTION_OTHER_MAIN		(1U << 4)
#define DMR_OPTION_MISSING_SPARES	(1U << 5)
#define DMR_OPTION_LOST_PAGES		(1U << 6)
#define DMR_OPTION_GROW			(1U << 7)
#define DMR_OPTION_ADD			(1U << 8)
#define DMR_OPTION_REMOVE		(1U << 9)

/* The members of a set and how to open it. */
struct dmr_params {
	u64 main_sectors;
	u64 now_unix_s;
	u32 main_logical_bytes;
	u32 main_physical_bytes;
	u32 spare_count;
	u32 options;
	u32 block_sectors;
	u32 copies;
	struct dmr_spare_params spares[DMR_MAX_SPARES];
	u8 random[16 * (DMR_MAX_SPARES + 1)];
	char name[65];
	char main_path[257];
	char partition_uuid[41];
	u8 padding[5];
};

/* A table line, taken apart. Devices and texts are numbers of arguments. */
struct dmr_table {
	u64 spare_start;
	u64 spare_sectors;
	u32 spare_count;
	u32 options;
	u32 block_sectors;
	u32 copies;
	u32 name;
	u32 spares[DMR_MAX_SPARES];
	u32 padding;
};

enum dmr_place {
	DMR_PLACE_DEVICE = 0,
	DMR_PLACE_LOST = 1,
	DMR_PLACE_ZERO = 2,
	DMR_PLACE_BUSY = 3,
	DMR_PLACE_READ_ONLY = 4,
};

/* The longest prefix of a request that goes to one place. */
struct dmr_piece {
	u64 start;
	u64 sectors;
	u32 place;
	u16 device;
	u16 filtered;
};

enum dmr_job_kind {
	DMR_JOB_WRITE = 0,
	DMR_JOB_WRITE_DURABLE = 1,
	DMR_JOB_READ = 2,
	DMR_JOB_SCRUB = 3,
};

/* A failed request, or a part of it, for recovery. */
struct dmr_job {
	u64 start;
	u64 sectors;
	u32 kind;
	u16 device;
	u16 error;
};

/* What serving saw, of all processors. */
struct dmr_io_counts {
	u64 reads;
	u64 writes;
	u64 flushes;
	u64 discards;
	u64 sectors_read;
	u64 sectors_written;
	u64 pieces_to_main;
	u64 pieces_to_spare;
	u64 pieces_lost;
	u64 filter_passes;
	u64 table_lookups;
	u64 waits;
};

enum dmr_state {
	DMR_STATE_ACTIVE = 0,
	DMR_STATE_FAILING = 1,
	DMR_STATE_READ_ONLY = 2,
};

struct dmr_facts {
	u64 mapped_blocks;
	u64 moved_sectors;
	u64 lost_sectors;
	u64 slots_total;
	u64 slots_retired;
	u64 remapped;
	u64 errors;
	u64 errors_last_hour;
	u64 recovery_ms;
	u64 jobs;
	u32 state;
	u32 health;
};

enum dmr_order_kind {
	DMR_ORDER_VERIFY = 4,
	DMR_ORDER_EVACUATE = 5,
};

/* An order that takes steps. */
struct dmr_order {
	u64 start;
	u64 sectors;
	u64 cursor;
	u64 done;
	u64 failed;
	u64 repaired;
	u32 kind;
	u32 attempts;
	u32 error;
	u32 device;
};

enum dmr_scrub_kind {
	DMR_SCRUB_READ = 0,
	DMR_SCRUB_WAIT = 1,
	DMR_SCRUB_VERIFY = 2,
	DMR_SCRUB_DONE = 3,
};

struct dmr_scrub_step {
	u32 kind;
	u32 page;
	u64 start;
	u64 sectors;
};

enum dmr_event_kind {
	DMR_EVENT_MOVED = 0,
	DMR_EVENT_LOST = 1,
	DMR_EVENT_RETIRED = 2,
	DMR_EVENT_STATE = 3,
	DMR_EVENT_SPARE_OFFLINE = 4,
	DMR_EVENT_SPARE_FULL = 5,
	DMR_EVENT_REPAIRED = 6,
};

struct dmr_event {
	u32 kind;
	u32 what;
	u64 start;
	u64 sectors;
};

static_assert(sizeof(struct dmr_spare_params) == 16);
static_assert(sizeof(struct dmr_params) == 40 + 256 + 272 + 368);
static_assert(sizeof(struct dmr_table) == 16 + 20 + 64 + 4);
static_assert(sizeof(struct dmr_piece) == 24);
static_assert(sizeof(struct dmr_job) == 24);
static_assert(sizeof(struct dmr_io_counts) == 96);
static_assert(sizeof(struct dmr_facts) == 88);
static_assert(sizeof(struct dmr_order) == 64);
static_assert(sizeof(struct dmr_scrub_step) == 24);
static_assert(sizeof(struct dmr_event) == 24);

struct dmr_engine;
struct dmr_scrub_plan;

/*
 * The engine's functions. Those marked "writer" are for the set's recovery
 * work only, which is one at a time; they sleep. The others take any context
 * unless they say so. Texts are always ended by a zero.
 */
u32 dmr_table_parse(u32 count, char **arguments, struct dmr_table *table,
		    char *why, u32 why_length);
/* Sleeps. Nobody has the engine yet. NULL with the reason in why. */
struct dmr_engine *dmr_engine_open(void *context, const struct dmr_params *params,
				   char *why, u32 why_length);
/* Sleeps. Nobody else uses the engine any more. */
u32 dmr_engine_close(const struct dmr_engine *engine);
void dmr_engine_free(struct dmr_engine *engine);
void dmr_engine_resolve(const struct dmr_engine *engine, u64 start, u64 sectors,
			u32 write, struct dmr_piece *piece);
u32 dmr_engine_spares_used(const struct dmr_engine *engine);
u32 dmr_engine_reads_zero(const struct dmr_engine *engine);
u64 dmr_engine_sectors(const struct dmr_engine *engine);
void dmr_engine_uuid(const struct dmr_engine *engine, u8 uuid[16]);
u32 dmr_engine_status(const struct dmr_engine *engine, char *buffer, u32 length);
void dmr_engine_facts(const struct dmr_engine *engine, struct dmr_facts *facts);
void dmr_engine_clear(const struct dmr_engine *engine);
/* Breaks an invariant if that is wanted, for tests of what happens then. */
void dmr_engine_break(u32 wanted);
/* Writer. */
void dmr_engine_batch(const struct dmr_engine *engine, const struct dmr_job *jobs, u32 count);
/* Writer. */
u32 dmr_engine_drain_spare(const struct dmr_engine *engine, u32 device, u32 draining);

enum dmr_answer {
	DMR_ANSWERED = 0,
	DMR_ORDERED = 1,
	DMR_REFUSED = 2,
};

u32 dmr_message(const struct dmr_engine *engine, u32 count, char **arguments,
		const struct dmr_io_counts *io, struct dmr_order *order, char *buffer, u32 length);
/* Writer. */
u32 dmr_order_step(const struct dmr_engine *engine, struct dmr_order *order);
void dmr_order_report(const struct dmr_order *order, char *buffer, u32 length);

/* The scrub's plan; for the scrub's thread. */
struct dmr_scrub_plan *dmr_scrub_new(const struct dmr_engine *engine, u64 rate, u64 now_ms);
void dmr_scrub_next(struct dmr_scrub_plan *plan, u64 now_ms, struct dmr_scrub_step *step);
void dmr_scrub_failed(struct dmr_scrub_plan *plan, u64 start, u64 sectors);
void dmr_scrub_free(struct dmr_scrub_plan *plan);

/*
 * What the engine calls, from within the writer's functions and the opening.
 * All of it may sleep.
 */
void *dmr_glue_alloc(u64 bytes);
void dmr_glue_free(void *memory);
u64 dmr_glue_now_ms(void);
u32 dmr_glue_rw(void *context, u32 device, u32 write, u64 sector, u32 sectors, void *data);
u32 dmr_glue_job_rw(void *context, u32 device, u32 write, u64 sector, u32 sectors,
		    u32 job, u32 offset);
u32 dmr_glue_flush(void *context, u32 device);
void dmr_glue_drain(void *context);
void dmr_glue_released(void *context);
void dmr_glue_deliver(void *context, u32 job, u32 offset, u32 sectors, const void *from);
void dmr_glue_finished(void *context, u32 job, u32 error);
void dmr_glue_event(void *context, const struct dmr_event *event);
void dmr_glue_panic(const char *file, u32 length, u32 line) __noreturn;

#endif
