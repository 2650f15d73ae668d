// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - tree: the cgroups, with the role they have and the one that counts
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * The tree is read once into an array, parents before children, and then
 * printed: whether a cgroup is worth a line may depend on those below it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"

struct node {
	char *path;
	int depth;
	bool wanted;
	bool known;		/* it has memory.tbtf */
	uint32_t role;
	uint32_t effective;
	bool has_usage;
	uint64_t usage_kb;
	uint64_t id;
	uint64_t sacrificed;
	uint64_t spared;
};

struct tree {
	struct node *nodes;
	size_t nr;
	size_t room;
	size_t nr_known;
	bool marked_only;
};

static int visit(int cgroup, const char *path, int depth, void *data)
{
	struct tree *tree = data;
	struct node *node, *more;
	uint64_t bytes;
	struct stat st;

	if (tree->nr == tree->room) {
		tree->room = tree->room ? tree->room * 2 : 128;
		more = realloc(tree->nodes, tree->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		tree->nodes = more;
	}
	node = &tree->nodes[tree->nr];
	memset(node, 0, sizeof(*node));
	node->path = strdup(path);
	if (!node->path)
		return -ENOMEM;
	tree->nr++;
	node->depth = depth;
	node->known = !tbtf_cgroup_get_role(cgroup, &node->role, &node->effective);
	tbtf_cgroup_get_events(cgroup, &node->sacrificed, &node->spared);
	node->has_usage = !tbtf_cgfs_number(cgroup, "memory.current", &bytes);
	if (node->has_usage)
		node->usage_kb = bytes / 1024;
	/* The inode number of a cgroup's directory is its id. */
	if (!fstat(cgroup, &st))
		node->id = st.st_ino;
	tree->nr_known += node->known;
	return 0;
}

/* From the last to the first: a wanted cgroup makes its parent wanted. */
static void choose(struct tree *tree)
{
	int depth = 0;		/* below this, the path to a wanted one goes on */

	for (size_t i = tree->nr; i--;) {
		struct node *node = &tree->nodes[i];
		bool marked = node->known && node->role != TBTF_ROLE_INHERIT;

		node->wanted = !tree->marked_only || marked || node->depth < depth;
		if (!node->wanted)
			continue;
		depth = node->depth;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash[1] ? slash + 1 : "/";
}

static void print_text(const struct tree *tree)
{
	char size[16];

	printf("%-10s %-10s %6s %6s %6s  %s\n", "ROLE", "EFFECTIVE", "USAGE", "SACRIF", "SPARED",
	       "CGROUP");
	for (size_t i = 0; i < tree->nr; i++) {
		const struct node *node = &tree->nodes[i];

		if (!node->wanted)
			continue;
		printf("%-10s %-10s %6s ",
		       !node->known ? "-" : tbtf_role_name(node->role),
		       !node->known ? "-" : tbtf_role_name(node->effective),
		       node->has_usage ? tbtf_size(node->usage_kb, size) : "-");
		if (node->known)
			printf("%6llu %6llu  ", (unsigned long long)node->sacrificed,
			       (unsigned long long)node->spared);
		else
			printf("%6s %6s  ", "-", "-");
		printf("%*s", node->depth * 2, "");
		tbtf_put_text(stdout, base_name(node->path), SIZE_MAX);
		putchar('\n');
	}
}

static void print_json(const struct tree *tree)
{
	struct json json = JSON_INIT(stdout);

	json_open(&json, NULL, '{');
	json_open(&json, "cgroups", '[');
	for (size_t i = 0; i < tree->nr; i++) {
		const struct node *node = &tree->nodes[i];

		if (!node->wanted)
			continue;
		json_open(&json, NULL, '{');
		json_string(&json, "path", node->path);
		json_unsigned(&json, "id", node->id);
		if (node->known) {
			json_string(&json, "role", tbtf_role_name(node->role));
			json_string(&json, "effective", tbtf_role_name(node->effective));
			json_unsigned(&json, "sacrificed", node->sacrificed);
			json_unsigned(&json, "spared", node->spared);
		} else {
			json_null(&json, "role");
			json_null(&json, "effective");
			json_null(&json, "sacrificed");
			json_null(&json, "spared");
		}
		if (node->has_usage)
			json_unsigned(&json, "usage_kb", node->usage_kb);
		else
			json_null(&json, "usage_kb");
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

static int show(struct tree *tree, bool as_json)
{
	int err, sysfs;

	sysfs = tbtf_open_sysfs();
	if (sysfs < 0)
		return tbtf_failed(sysfs, "/sys/kernel/mm/tbtf");
	err = tbtf_feature_get(sysfs, "cgroup");
	close(sysfs);
	if (!err) {
		tbtf_error("this kernel has no memory.tbtf files (feature 'cgroup'): cgroups have no roles");
		return EXIT_FAILED;
	}
	err = tbtf_cgfs_walk(visit, tree);
	if (err == -ENOENT) {
		tbtf_error("cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup");
		return EXIT_FAILED;
	}
	if (err)
		return tbtf_failed(err, "the cgroup tree");
	choose(tree);
	if (as_json)
		print_json(tree);
	else
		print_text(tree);
	if (!tree->nr_known && tree->nr > 1)
		tbtf_error("note: no cgroup has the memory controller (cgroup.subtree_control), so none can have a role");
	return EXIT_OK;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	static const struct option names[] = {
		{ "marked",	no_argument,	NULL, 'm' },
		{ "json",	no_argument,	NULL, 'j' },
		{ "help",	no_argument,	NULL, 'h' },
		{ }
	};
	struct tree tree = { 0 };
	bool as_json = false;
	int opt, code;

	while ((opt = tbtf_getopt(cmd, argc, argv, ":mjh", names, &code)) != -1) {
		switch (opt) {
		case 'm':
			tree.marked_only = true;
			break;
		case 'j':
			as_json = true;
			break;
		case OPT_STOP:
			return code;
		}
	}
	if (optind < argc)
		return tbtf_bad_usage(cmd, "'%s' is one argument too many", argv[optind]);
	code = show(&tree, as_json);
	for (size_t i = 0; i < tree.nr; i++)
		free(tree.nodes[i].path);
	free(tree.nodes);
	return code;
}

const struct cmd cmd_tree = {
	.name = "tree",
	.synopsis = "[--marked] [--json]",
	.summary = "the cgroups with their role and the one that counts",
	.help = "Options:\n"
		"  -m, --marked            only those with a role of their own, and the\n"
		"                          ones above them\n"
		"  -j, --json              as JSON, see tbtf-json(5)\n"
		HELP_OPTION
		"\nExit status: 0; 1 failed; 69 the module is not loaded; 77 not permitted.\n",
	.run = run,
};
