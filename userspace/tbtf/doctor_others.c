// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - doctor: other programs and patches that have a say in who dies
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf.h"
#include "doctor.h"

/* Call visit for every name in a directory below the root, in order. */
static void each_name(const char *dir, void (*visit)(const char *dir, const char *name, void *data),
		      void *data)
{
	struct dirent **names = NULL;
	char path[PATH_LEN];
	int nr;

	if (!tbtf_path(path, "%s", dir))
		return;
	nr = scandir(path, &names, NULL, versionsort);
	for (int i = 0; i < nr; i++) {
		if (names[i]->d_name[0] != '.')
			visit(dir, names[i]->d_name, data);
		free(names[i]);
	}
	free(names);
}

/* -- live patches -------------------------------------------------------------- */

static const char * const hooked[] = {
	"out_of_memory", "oom_kill_process", "oom_kill_memcg_member", "pagefault_out_of_memory",
	"security_task_prctl",
};

struct patches {
	struct doctor *d;
	int found;
};

/* .../livepatch/PATCH/OBJECT/FUNCTION,NUMBER */
static void visit_function(const char *dir, const char *name, void *data)
{
	struct patches *patches = data;
	size_t len = strcspn(name, ",");
	char shown[256];

	for (size_t i = 0; i < ARRAY_SIZE(hooked); i++) {
		if (strlen(hooked[i]) != len || strncmp(hooked[i], name, len))
			continue;
		patches->found++;
		doctor_found(patches->d, WARN, "a live patch replaces %s (%s)", hooked[i],
			     tbtf_text(shown, sizeof(shown), dir));
	}
}

static void visit_object(const char *dir, const char *name, void *data)
{
	char path[PATH_LEN];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
		each_name(path, visit_function, data);
}

static void visit_patch(const char *dir, const char *name, void *data)
{
	char path[PATH_LEN];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
		each_name(path, visit_object, data);
}

void check_livepatch(struct doctor *d)
{
	struct patches patches = { .d = d };

	each_name("/sys/kernel/livepatch", visit_patch, &patches);
	if (!patches.found)
		doctor_found(d, OK, "no live patch replaces a function that tbtf hooks");
}

/* -- user space killers --------------------------------------------------------- */

void check_killers(struct doctor *d)
{
	/* comm has 15 characters. */
	static const char * const killers[] = {
		"systemd-oomd", "earlyoom", "nohang", "oomd", "bustd", "low-memory-moni",
	};
	pid_t *pids = NULL;
	bool found = false;
	char comm[64];
	size_t nr;

	if (tbtf_proc_pids(&pids, &nr))
		return;
	for (size_t i = 0; i < nr; i++) {
		if (tbtf_proc_comm(pids[i], comm))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(killers); k++) {
			if (strcmp(comm, killers[k]))
				continue;
			found = true;
			doctor_found(d, WARN, "%s is running (process %d)", comm, pids[i]);
		}
	}
	free(pids);
	if (!found)
		doctor_found(d, OK, "no user space OOM killer is running");
}

/* -- the watchdog ---------------------------------------------------------------- */

struct holder {
	bool found;
	char device[64];
};

static void visit_fd(const char *dir, const char *name, void *data)
{
	char path[PATH_LEN], target[64];
	struct holder *holder = data;
	ssize_t len;

	if (holder->found || !tbtf_path(path, "%s/%s", dir, name))
		return;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return;
	target[len] = '\0';
	if (strncmp(target, "/dev/watchdog", strlen("/dev/watchdog")))
		return;
	holder->found = true;
	strcpy(holder->device, target);
}

/* Whether nobody is ever sacrificed by killing this one. */
static bool never_sacrificed(struct doctor *d, pid_t pid)
{
	struct tbtf_info info;
	char adj[32];
	int pidfd, err;

	if (pid == 1)
		return true;
	if (tbtf_readf(adj, sizeof(adj), "/proc/%d/oom_score_adj", pid) >= 0 && !strcmp(adj, "-1000"))
		return true;
	pidfd = d->dev < 0 ? -1 : tbtf_pidfd_open(pid);
	if (pidfd < 0)
		return false;
	err = tbtf_get_info(d->dev, pidfd, &info);
	close(pidfd);
	return !err && (info.effective == TBTF_ROLE_SPARE || info.effective == TBTF_ROLE_TBTF);
}

void check_watchdog(struct doctor *d)
{
	char dir[64], comm[256];
	bool found = false;
	pid_t *pids = NULL;
	size_t nr;

	if (tbtf_proc_pids(&pids, &nr))
		return;
	for (size_t i = 0; i < nr; i++) {
		struct holder holder = { 0 };

		snprintf(dir, sizeof(dir), "/proc/%d/fd", pids[i]);
		each_name(dir, visit_fd, &holder);
		if (!holder.found)
			continue;
		found = true;
		if (never_sacrificed(d, pids[i]))
			doctor_found(d, OK, "%s is held by %d (%s), which is never sacrificed",
				     holder.device, pids[i], doctor_comm(pids[i], comm));
		else
			doctor_found(d, WARN, "%s is held by %d (%s), which can be sacrificed",
				     holder.device, pids[i], doctor_comm(pids[i], comm));
	}
	free(pids);
	if (!found)
		doctor_found(d, OK, "nobody holds /dev/watchdog, as far as this user can see");
}

/* -- systemd units ----------------------------------------------------------------- */

void check_oom_policy(struct doctor *d)
{
	char unit[256], policy[64], shown[256];
	int err;

	if (!tbtf_systemd_running() || !tbtf_unit_of_cgroup(d->cgroup, unit))
		return;
	tbtf_text(shown, sizeof(shown), unit);
	err = tbtf_unit_property(unit, "OOMPolicy", policy, sizeof(policy));
	if (err) {
		doctor_found(d, NOTE, "cannot ask systemd for OOMPolicy of %s: %s", shown,
			     err == -ENOENT ? "no systemctl" : strerror(-err));
		return;
	}
	/* Scopes have none before systemd 253. */
	if (!*policy)
		return;
	if (!strcmp(policy, "continue"))
		doctor_found(d, OK, "OOMPolicy of %s is continue", shown);
	else
		doctor_found(d, WARN, "OOMPolicy of %s is %s", shown, policy);
}

/* -- eBPF ---------------------------------------------------------------------- */

void check_statistics(struct doctor *d)
{
	struct tbtf_control ctl;
	struct tbtf_set totals;

	/* Maps are the kernel's, not files below a root. */
	if (*tbtf_root || d->sysfs < 0)
		return;
	switch (tbtf_bpf_stamp(&ctl)) {
	case 0:
		doctor_found(d, NOTE, "eBPF programs are attached: the module cannot be unloaded before 'tbtf stats --detach'");
		if (!tbtf_bpf_totals(&totals) && totals.counters[TBTF_COUNTER_died_oom])
			doctor_found(d, WARN, "%llu protected processes died of an OOM though others were left (died_oom)",
				     (unsigned long long)totals.counters[TBTF_COUNTER_died_oom]);
		break;
	case -ESTALE:
		doctor_found(d, WARN, "eBPF programs of another version of tbtf are attached, and hold the module");
		break;
	case -ENOENT:
		doctor_found(d, OK, "no eBPF programs are attached");
		break;
	}
}
