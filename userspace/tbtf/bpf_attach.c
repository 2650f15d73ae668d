// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - loading, attaching and pinning the eBPF programs
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The only file that needs libbpf. Without it, or without the compiled programs,
 * it is built to say so (HAVE_BPF is not defined).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "bpf.h"
#include "cmd.h"

#ifndef HAVE_BPF

int tbtf_bpf_attach(bool raw)
{
	(void)raw;
	tbtf_error("this tbtf was built without eBPF: install clang, bpftool, libbpf-dev and libelf-dev, and build it again");
	return EXIT_FAILED;
}

#else

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "tbtf.skel.h"

#define BPF_FS_MAGIC	0xcafe4a11

/* What libbpf says is of use only if it fails: the last of it is kept. */
static char said[4096];

static int hear(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t len = strlen(said);

	if (level != LIBBPF_WARN || len >= sizeof(said) - 1)
		return 0;
	return vsnprintf(said + len, sizeof(said) - len, format, args);
}

/* Said in one line what keeps a program from being loaded. */
static int refused(int err, const char *what)
{
	char lockdown[256], *line;

	if (tbtf_read(lockdown, sizeof(lockdown), "/sys/kernel/security/lockdown") > 0 &&
	    strstr(lockdown, "[confidentiality]")) {
		tbtf_error("%s: the kernel is locked down (confidentiality), which forbids eBPF to read its memory; all else works",
			   what);
		return EXIT_FAILED;
	}
	if (access("/sys/kernel/btf/vmlinux", F_OK)) {
		tbtf_error("%s: this kernel has no type information (CONFIG_DEBUG_INFO_BTF), without which no program can be fitted to it; all else works",
			   what);
		return EXIT_FAILED;
	}
	if (err == -EPERM || err == -EACCES) {
		tbtf_error("%s: not permitted: it needs root, or CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN",
			   what);
		return EXIT_NOT_PERMITTED;
	}
	line = strtok(said, "\n");
	tbtf_error("%s: %s%s%s", what, strerror(-err), line ? ": " : "", line ?: "");
	return EXIT_FAILED;
}

static bool is_raw(const char *program)
{
	return !strncmp(program, "raw_", 4);
}

/* Of each pair the one that is wanted. */
static bool wanted(const char *program, enum tbtf_mode mode)
{
	if (is_raw(program))
		return mode == TBTF_MODE_RAW_TP;
	if (!strncmp(program, "btf_", 4))
		return mode == TBTF_MODE_TP_BTF;
	return true;
}

static int set_pins(struct bpf_object *object)
{
	struct bpf_map *map;
	char path[256];
	int err;

	bpf_object__for_each_map(map, object) {
		/* What the compiler makes of variables lives with the programs. */
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), BPF_DIR "/%s", bpf_map__name(map));
		err = bpf_map__set_pin_path(map, path);
		if (err)
			return err;
	}
	return 0;
}

static int load(enum tbtf_mode mode, struct tbtf_bpf_skel **ret)
{
	struct tbtf_bpf_skel *skel;
	struct bpf_program *program;
	int err;

	*said = '\0';
	skel = tbtf_bpf_skel__open();
	if (!skel)
		return -errno;
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, wanted(bpf_program__name(program), mode));
	err = set_pins(skel->obj);
	if (!err)
		err = tbtf_bpf_skel__load(skel);
	if (err) {
		tbtf_bpf_skel__destroy(skel);
		return err;
	}
	*ret = skel;
	return 0;
}

/* Before the first event comes: who reads asks this first. */
static int stamp(struct tbtf_bpf_skel *skel, enum tbtf_mode mode)
{
	struct tbtf_control ctl = {
		.magic = TBTF_STATS_MAGIC,
		.layout = TBTF_STATS_LAYOUT,
		.event_version = TBTF_EVENT_VERSION,
		.size = sizeof(struct tbtf_keyed),
		.mode = mode,
	};
	struct timespec now;
	uint32_t zero = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ctl.attached = now.tv_sec * 1000000000ULL + now.tv_nsec;
	return bpf_map_update_elem(bpf_map__fd(skel->maps.control), &zero, &ctl, BPF_ANY) ?
		-errno : 0;
}

static int attach_all(struct tbtf_bpf_skel *skel, const char **ret_what)
{
	struct bpf_program *program;
	struct bpf_link *link;
	char path[256];
	int err;

	bpf_object__for_each_program(program, skel->obj) {
		if (!bpf_program__autoload(program))
			continue;
		*ret_what = bpf_program__name(program);
		snprintf(path, sizeof(path), BPF_DIR "/link_%s", *ret_what);
		if (!access(path, F_OK))
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return -errno;
		err = bpf_link__pin(link, path);
		bpf_link__destroy(link);
		if (err)
			return err;
	}
	return 0;
}

/* Are all links of this mode there? What another has begun is finished. */
static bool complete(enum tbtf_mode mode)
{
	struct tbtf_bpf_skel *skel = tbtf_bpf_skel__open();
	struct bpf_program *program;
	char path[256];
	bool all = skel;

	if (skel)
		bpf_object__for_each_program(program, skel->obj) {
			snprintf(path, sizeof(path), BPF_DIR "/link_%s",
				 bpf_program__name(program));
			all &= !wanted(bpf_program__name(program), mode) || !access(path, F_OK);
		}
	tbtf_bpf_skel__destroy(skel);
	return all;
}

static int attach_locked(bool raw)
{
	bool typed = !access("/sys/kernel/btf/tbtf", F_OK);
	struct tbtf_bpf_skel *skel;
	struct tbtf_control ctl;
	enum tbtf_mode mode;
	const char *what;
	bool fresh;
	int err;

	err = tbtf_bpf_stamp(&ctl);
	fresh = err == -ENOENT;
	if (err && !fresh) {
		if (err != -ESTALE)
			return refused(err, BPF_DIR "/control");
		tbtf_error("what is pinned in %s is of another version of tbtf, and stays: tbtf stats --detach, and --attach again",
			   BPF_DIR);
		return EXIT_FAILED;
	}
	mode = !fresh ? (enum tbtf_mode)ctl.mode :
	       raw || !typed ? TBTF_MODE_RAW_TP : TBTF_MODE_TP_BTF;
	if (!fresh && complete(mode))
		return EXIT_OK;
	err = load(mode, &skel);
	if (err && fresh && mode == TBTF_MODE_TP_BTF) {
		/* The types are there, and are not liked. */
		mode = TBTF_MODE_RAW_TP;
		tbtf_bpf_detach();
		mkdir(BPF_DIR, 0700);
		err = load(mode, &skel);
	}
	if (err) {
		if (fresh)
			tbtf_bpf_detach();
		return refused(err, "the eBPF programs cannot be loaded");
	}
	what = "control";
	if (fresh)
		err = stamp(skel, mode);
	if (!err)
		err = attach_all(skel, &what);
	tbtf_bpf_skel__destroy(skel);
	if (!err)
		return EXIT_OK;
	tbtf_bpf_detach();
	return refused(err, what);
}

int tbtf_bpf_attach(bool raw)
{
	struct statfs fs;
	int dir, code;

	if (access("/sys/kernel/mm/tbtf", F_OK))
		return tbtf_no_module();
	if (statfs("/sys/fs/bpf", &fs) || (unsigned int)fs.f_type != BPF_FS_MAGIC) {
		tbtf_error("/sys/fs/bpf is not mounted: mount -t bpf none /sys/fs/bpf");
		return EXIT_FAILED;
	}
	libbpf_set_print(hear);
	if (mkdir(BPF_DIR, 0700) && errno != EEXIST)
		return refused(-errno, BPF_DIR);
	dir = open(BPF_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return refused(-errno, BPF_DIR);
	/* Of two at a time the second finds what the first has pinned. */
	flock(dir, LOCK_EX);
	code = attach_locked(raw);
	close(dir);
	return code;
}

#endif /* HAVE_BPF */
