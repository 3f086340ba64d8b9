// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /sys/kernel/dm_remap: the figures of all sets together, under the names that
 * dm-remap's users know, and a folder a set with the same names.
 */
#include <linux/sysfs.h>

#include "dm-remap.h"

struct dmr_sum {
	struct dmr_facts facts;
	struct dmr_io_counts io;
	time64_t last_remap;
	time64_t last_error;
	time64_t opened;
	unsigned int sets;
};

static void dmr_sum_add(struct dmr_set *set, void *data)
{
	struct dmr_sum *sum = data;
	struct dmr_io_counts io;
	struct dmr_facts facts;

	down_read(&set->engine_lock);
	if (!set->engine) {
		up_read(&set->engine_lock);
		return;
	}
	dmr_engine_facts(set->engine, &facts);
	up_read(&set->engine_lock);
	dmr_io_counts_sum(set, &io);
	sum->facts.health = sum->sets ? min(sum->facts.health, facts.health) : facts.health;
	sum->facts.state = max(sum->facts.state, facts.state);
	sum->facts.mapped_blocks += facts.mapped_blocks;
	sum->facts.moved_sectors += facts.moved_sectors;
	sum->facts.lost_sectors += facts.lost_sectors;
	sum->facts.slots_total += facts.slots_total;
	sum->facts.slots_retired += facts.slots_retired;
	sum->facts.remapped += facts.remapped;
	sum->facts.errors += facts.errors;
	sum->facts.errors_last_hour += facts.errors_last_hour;
	sum->facts.recovery_ms += facts.recovery_ms;
	sum->facts.jobs += facts.jobs;
	sum->io.reads += io.reads;
	sum->io.writes += io.writes;
	sum->last_remap = max(sum->last_remap, set->last_remap);
	sum->last_error = max(sum->last_error, set->last_error);
	sum->opened = sum->sets ? min(sum->opened, set->opened) : set->opened;
	sum->sets++;
}

enum dmr_figure {
	DMR_TOTAL_READS,
	DMR_TOTAL_WRITES,
	DMR_TOTAL_REMAPS,
	DMR_TOTAL_ERRORS,
	DMR_ACTIVE_MAPPINGS,
	DMR_LAST_REMAP_TIME,
	DMR_LAST_ERROR_TIME,
	DMR_AVG_LATENCY_US,
	DMR_REMAPPED_SECTORS,
	DMR_LOST_SECTORS,
	DMR_SPARE_SECTORS_USED,
	DMR_REMAP_RATE,
	DMR_ERROR_RATE,
	DMR_HEALTH_SCORE,
	DMR_FIGURES,
};

static const struct {
	const char *name;
	bool counter;
	const char *help;
} dmr_figures[DMR_FIGURES] = {
	[DMR_TOTAL_READS] = { "total_reads", true, "Read requests" },
	[DMR_TOTAL_WRITES] = { "total_writes", true, "Write requests" },
	[DMR_TOTAL_REMAPS] = { "total_remaps", true, "Sectors moved to a spare" },
	[DMR_TOTAL_ERRORS] = { "total_errors", true, "Errors of main devices" },
	[DMR_ACTIVE_MAPPINGS] = { "active_mappings", false, "Blocks with a mapping" },
	[DMR_LAST_REMAP_TIME] = { "last_remap_time", false, "Last move, seconds since 1970" },
	[DMR_LAST_ERROR_TIME] = { "last_error_time", false, "Last error, seconds since 1970" },
	[DMR_AVG_LATENCY_US] = { "avg_latency_us", false, "Mean time of a recovery" },
	[DMR_REMAPPED_SECTORS] = { "remapped_sectors", false, "Sectors that live on a spare" },
	[DMR_LOST_SECTORS] = { "lost_sectors", false, "Sectors that nobody holds" },
	[DMR_SPARE_SECTORS_USED] = { "spare_sectors_used", false, "Sectors of slots in use" },
	[DMR_REMAP_RATE] = { "remap_rate_per_hour", false, "Moves an hour since opening" },
	[DMR_ERROR_RATE] = { "error_rate_per_hour", false, "Errors in the last hour" },
	[DMR_HEALTH_SCORE] = { "health_score", false, "Health from 0 to 100, the worst set's" },
};

static u64 dmr_figure(const struct dmr_sum *sum, enum dmr_figure figure)
{
	u64 hours;

	switch (figure) {
	case DMR_TOTAL_READS:
		return sum->io.reads;
	case DMR_TOTAL_WRITES:
		return sum->io.writes;
	case DMR_TOTAL_REMAPS:
		return sum->facts.remapped;
	case DMR_TOTAL_ERRORS:
		return sum->facts.errors;
	case DMR_ACTIVE_MAPPINGS:
		return sum->facts.mapped_blocks;
	case DMR_LAST_REMAP_TIME:
		return sum->last_remap;
	case DMR_LAST_ERROR_TIME:
		return sum->last_error;
	case DMR_AVG_LATENCY_US:
		return sum->facts.jobs ? sum->facts.recovery_ms * 1000 / sum->facts.jobs : 0;
	case DMR_REMAPPED_SECTORS:
		return sum->facts.moved_sectors;
	case DMR_LOST_SECTORS:
		return sum->facts.lost_sectors;
	case DMR_SPARE_SECTORS_USED:
		return sum->facts.mapped_blocks * 8;
	case DMR_REMAP_RATE:
		hours = sum->sets ? (ktime_get_real_seconds() - sum->opened) / 3600 + 1 : 1;
		return sum->facts.remapped / hours;
	case DMR_ERROR_RATE:
		return sum->facts.errors_last_hour;
	case DMR_HEALTH_SCORE:
		return sum->sets ? sum->facts.health : 100;
	default:
		return 0;
	}
}

struct dmr_attribute {
	struct attribute attr;
	enum dmr_figure figure;
};

/* In Prometheus' text format; the name of a set as a label, where there is one. */
static ssize_t dmr_show_all(const struct dmr_sum *sum, const char *label, char *buffer)
{
	ssize_t length = 0;
	unsigned int at;

	for (at = 0; at < DMR_FIGURES; at++)
		length += sysfs_emit_at(buffer, length,
					"# HELP dm_remap_%s %s\n# TYPE dm_remap_%s %s\ndm_remap_%s%s %llu\n",
					dmr_figures[at].name, dmr_figures[at].help,
					dmr_figures[at].name,
					dmr_figures[at].counter ? "counter" : "gauge",
					dmr_figures[at].name, label, dmr_figure(sum, at));
	return length;
}

static ssize_t dmr_show(const struct dmr_sum *sum, const char *label, struct attribute *attr,
			char *buffer)
{
	struct dmr_attribute *attribute = container_of(attr, struct dmr_attribute, attr);

	if (attribute->figure == DMR_FIGURES)
		return dmr_show_all(sum, label, buffer);
	return sysfs_emit(buffer, "%llu\n", dmr_figure(sum, attribute->figure));
}

static ssize_t dmr_root_show(struct kobject *kobj, struct attribute *attr, char *buffer)
{
	struct dmr_sum sum = { };

	dmr_sets_for_each(dmr_sum_add, &sum);
	return dmr_show(&sum, "", attr, buffer);
}

static ssize_t dmr_set_show(struct kobject *kobj, struct attribute *attr, char *buffer)
{
	struct dmr_set *set = container_of(kobj, struct dmr_set, kobj);
	struct dmr_sum sum = { };
	char label[64];

	dmr_sum_add(set, &sum);
	snprintf(label, sizeof(label), "{device=\"%s\"}", kobject_name(kobj));
	return dmr_show(&sum, label, attr, buffer);
}

static struct dmr_attribute dmr_attributes[DMR_FIGURES + 1];
static struct attribute *dmr_attrs[DMR_FIGURES + 2];

static const struct attribute_group dmr_group = { .attrs = dmr_attrs };
static const struct attribute_group *dmr_groups[] = { &dmr_group, NULL };

static const struct sysfs_ops dmr_root_ops = { .show = dmr_root_show };
static const struct sysfs_ops dmr_set_ops = { .show = dmr_set_show };

static struct kobject *dmr_root;

static void dmr_root_release(struct kobject *kobj)
{
	kfree(kobj);
}

static void dmr_set_release(struct kobject *kobj)
{
	struct dmr_set *set = container_of(kobj, struct dmr_set, kobj);

	complete(&set->kobj_gone);
}

static const struct kobj_type dmr_root_type = {
	.release = dmr_root_release,
	.sysfs_ops = &dmr_root_ops,
	.default_groups = dmr_groups,
};

static const struct kobj_type dmr_set_type = {
	.release = dmr_set_release,
	.sysfs_ops = &dmr_set_ops,
	.default_groups = dmr_groups,
};

int dmr_sysfs_init(void)
{
	unsigned int at;
	int result;

	for (at = 0; at <= DMR_FIGURES; at++) {
		struct dmr_attribute *attribute = &dmr_attributes[at];

		sysfs_attr_init(&attribute->attr);
		attribute->attr.name = at < DMR_FIGURES ? dmr_figures[at].name : "all_stats";
		attribute->attr.mode = 0444;
		attribute->figure = at;
		dmr_attrs[at] = &attribute->attr;
	}
	dmr_root = kzalloc(sizeof(*dmr_root), GFP_KERNEL);
	if (!dmr_root)
		return -ENOMEM;
	result = kobject_init_and_add(dmr_root, &dmr_root_type, kernel_kobj, "dm_remap");
	if (result)
		kobject_put(dmr_root);
	return result;
}

void dmr_sysfs_exit(void)
{
	kobject_put(dmr_root);
}

/* number is how many other sets the mapped device has. */
int dmr_sysfs_add(struct dmr_set *set, unsigned int number)
{
	const char *name = dm_disk(set->md)->disk_name;
	int result;

	if (number)
		result = kobject_init_and_add(&set->kobj, &dmr_set_type, dmr_root, "%s.%u", name,
					      number);
	else
		result = kobject_init_and_add(&set->kobj, &dmr_set_type, dmr_root, "%s", name);

	if (result)
		dmr_sysfs_remove(set);
	return result;
}

void dmr_sysfs_remove(struct dmr_set *set)
{
	kobject_put(&set->kobj);
	wait_for_completion(&set->kobj_gone);
}
