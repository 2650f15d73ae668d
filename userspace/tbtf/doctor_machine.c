// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - doctor: the module, its knobs, and the kernel's settings
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/* Above this, the dump of an OOM is felt: about 10 ms a line at 115200 baud. */
#define MANY_PROCESSES	1000

void check_module(struct doctor *d)
{
	char abi[64];

	if (d->sysfs < 0) {
		doctor_found(d, FAIL, "the module is not loaded (no /sys/kernel/mm/tbtf)");
		return;
	}
	doctor_knob(d, "abi", abi);
	if (strtoul(abi, NULL, 10) != TBTF_ABI_VERSION)
		doctor_found(d, WARN, "the module speaks ABI %s, this program %d", abi,
			     TBTF_ABI_VERSION);
	else
		doctor_found(d, OK, "the module is loaded (ABI %s)", abi);
}

void check_features(struct doctor *d)
{
	static const struct {
		const char *name;
		enum severity severity;
		const char *loss;
	} losses[] = {
		{ "prctl", FAIL, "no process can mark itself" },
		{ "kill", FAIL, "nobody is spared" },
		{ "group", WARN, "memory.oom.group kills the protected too" },
		{ "cgroup", WARN, "cgroups have no roles" },
		{ "front", WARN, "a protected process at oom_score_adj -1000 ends in a panic" },
		{ "nap", WARN, "waiting is as short as for bystanders" },
		{ "exec", WARN, "a setuid program keeps the mark" },
		{ "rmdir", NOTE, "removed cgroups are forgotten late" },
		{ "fault", WARN, "who waits in a page fault holds up others of its memory" },
		{ "helper", WARN, "no memory of other nodes can be asked for" },
	};
	char features[256], *word, *rest = NULL;
	bool good = true;

	if (d->sysfs < 0 || tbtf_knob_get(d->sysfs, "features", features, sizeof(features)))
		return;
	for (word = strtok_r(features, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (*word != '-')
			continue;
		good = false;
		for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
			if (!strcmp(losses[i].name, word + 1)) {
				doctor_found(d, losses[i].severity, "'%s' is not in place: %s",
					     word + 1, losses[i].loss);
				word = NULL;
				break;
			}
		}
		if (word)
			doctor_found(d, WARN, "'%s' is not in place", word + 1);
	}
	if (good)
		doctor_found(d, OK, "all hooks and features are in place");
}

void check_enabled(struct doctor *d)
{
	char value[64];

	if (d->sysfs < 0)
		return;
	if (!strcmp(doctor_knob(d, "enabled", value), "0"))
		doctor_found(d, FAIL, "tbtf is switched off (enabled is 0)");
	else
		doctor_found(d, OK, "tbtf is on");
}

void check_dry_run(struct doctor *d)
{
	char value[64];

	if (d->sysfs < 0)
		return;
	if (!strcmp(doctor_knob(d, "dry_run", value), "1"))
		doctor_found(d, FAIL, "dry_run is 1: nobody is spared");
	else
		doctor_found(d, OK, "dry_run is off");
}

void check_device(struct doctor *d)
{
	char path[PATH_LEN];

	if (d->sysfs < 0)
		return;
	if (d->dev >= 0)
		doctor_found(d, OK, "/dev/tbtf answers");
	else if (!tbtf_path(path, "/dev/tbtf") || access(path, F_OK))
		doctor_found(d, WARN, "there is no /dev/tbtf");
	else
		doctor_found(d, NOTE, "/dev/tbtf cannot be opened: less is seen without root");
}

static int has_role(int cgroup, const char *path, int depth, void *data)
{
	uint32_t role;

	(void)path;
	(void)depth;
	if (!tbtf_cgroup_get_role(cgroup, &role, NULL) && role == TBTF_ROLE_TBTF)
		++*(int *)data;
	return 0;
}

void check_marked(struct doctor *d)
{
	char value[64];
	int cgroups = 0;

	if (d->sysfs < 0)
		return;
	tbtf_cgfs_walk(has_role, &cgroups);
	doctor_knob(d, "marked", value);
	if (!strcmp(value, "0") && !cgroups)
		doctor_found(d, NOTE, "no process and no cgroup is marked");
	else
		doctor_found(d, OK, "%s process%s with a role of their own, %d cgroup%s too big to fail",
			     value, !strcmp(value, "1") ? "" : "es", cgroups,
			     cgroups == 1 ? "" : "s");
}

void check_history(struct doctor *d)
{
	static const struct {
		const char *name;
		const char *text;
	} losses[] = {
		{ "died_oom", "marked processes killed by an OOM: %llu" },
		{ "died_exhausted", "of these, for want of anybody else to kill: %llu" },
		{ "marks_full", "marks refused because of max_marks: %llu" },
		{ "unkillable", "OOMs without a killable process, which would have been a panic: %llu" },
		{ "no_episode_slot", "OOMs beside too many others to keep account: %llu" },
	};
	bool good = true;
	uint64_t value;

	if (d->sysfs < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
		if (tbtf_stat_get(d->sysfs, losses[i].name, &value) || !value)
			continue;
		good = false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		doctor_found(d, WARN, losses[i].text, (unsigned long long)value);
#pragma GCC diagnostic pop
	}
	if (good)
		doctor_found(d, OK, "no marked process was killed by an OOM since the module was loaded");
}

void check_panic_on_oom(struct doctor *d)
{
	long long value;

	if (tbtf_read_number("/proc/sys/vm/panic_on_oom", &value))
		return;
	if (value == 2)
		doctor_found(d, FAIL, "vm.panic_on_oom is 2: every OOM crashes the machine, also one of a cgroup");
	else if (value)
		doctor_found(d, FAIL, "vm.panic_on_oom is %lld: an OOM of the machine crashes it", value);
	else
		doctor_found(d, OK, "vm.panic_on_oom is 0");
}

static unsigned long long meminfo(const char *text, const char *field)
{
	const char *line = strstr(text, field);

	return line ? strtoull(line + strlen(field), NULL, 10) : 0;
}

void check_overcommit(struct doctor *d)
{
	char text[4096], limit[16], used[16];
	long long value;

	if (tbtf_read_number("/proc/sys/vm/overcommit_memory", &value))
		return;
	if (value != 2) {
		doctor_found(d, OK, "vm.overcommit_memory is %lld", value);
		return;
	}
	if (tbtf_read(text, sizeof(text), "/proc/meminfo") < 0)
		text[0] = '\0';
	doctor_found(d, WARN, "vm.overcommit_memory is 2: malloc fails at the commit limit of %s, of which %s are used",
		     tbtf_size(meminfo(text, "CommitLimit:"), limit),
		     tbtf_size(meminfo(text, "Committed_AS:"), used));
}

void check_allocating_task(struct doctor *d)
{
	long long value;

	if (tbtf_read_number("/proc/sys/vm/oom_kill_allocating_task", &value))
		return;
	if (value)
		doctor_found(d, NOTE, "vm.oom_kill_allocating_task is %lld: whoever asks for memory is killed, unless it is protected",
			     value);
	else
		doctor_found(d, OK, "vm.oom_kill_allocating_task is 0");
}

void check_dump_tasks(struct doctor *d)
{
	long long value;

	if (tbtf_read_number("/proc/sys/vm/oom_dump_tasks", &value))
		return;
	if (value && d->nr_processes >= MANY_PROCESSES)
		doctor_found(d, WARN, "vm.oom_dump_tasks is %lld, and there are %ld processes", value,
			     d->nr_processes);
	else
		doctor_found(d, OK, "vm.oom_dump_tasks is %lld, with %ld processes", value,
			     d->nr_processes);
}

void check_panic_timeout(struct doctor *d)
{
	char exhausted[64], reboot[64];
	long long value;

	if (tbtf_read_number("/proc/sys/kernel/panic", &value))
		return;
	doctor_knob(d, "on_exhausted", exhausted);
	doctor_knob(d, "panic_reboot_s", reboot);
	if (value)
		doctor_found(d, OK, "kernel.panic is %lld: the machine reboots after a panic", value);
	else if (!strcmp(exhausted, "panic") && !strcmp(reboot, "0"))
		doctor_found(d, WARN, "kernel.panic and panic_reboot_s are 0, and on_exhausted is panic: the machine would stay down");
	else if (!strcmp(exhausted, "panic"))
		doctor_found(d, NOTE, "kernel.panic is 0: only panics of tbtf reboot, after %s s", reboot);
	else
		doctor_found(d, NOTE, "kernel.panic is 0: after a panic the machine stays down");
}

void check_swappiness(struct doctor *d)
{
	char swaps[1024];
	long long value;

	if (tbtf_read_number("/proc/sys/vm/swappiness", &value))
		return;
	/* The first line is the header. */
	if (!value && tbtf_read(swaps, sizeof(swaps), "/proc/swaps") >= 0 && strchr(swaps, '\n'))
		doctor_found(d, WARN, "vm.swappiness is 0, and there is swap");
	else
		doctor_found(d, OK, "vm.swappiness is %lld", value);
}

void check_cgroup_v1(struct doctor *d)
{
	char text[4096], *line, *rest = NULL;
	unsigned int hierarchy, cgroups, enabled;

	/* In newer kernels without v1 the file may be missing: all is v2 then. */
	if (tbtf_read(text, sizeof(text), "/proc/cgroups") < 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "memory %u %u %u", &hierarchy, &cgroups, &enabled) != 3)
			continue;
		if (!enabled)
			doctor_found(d, WARN, "the memory controller of cgroups is switched off");
		else if (hierarchy)
			doctor_found(d, WARN, "the memory controller belongs to cgroup v1");
		else
			doctor_found(d, OK, "the memory controller belongs to cgroup v2");
		return;
	}
}
