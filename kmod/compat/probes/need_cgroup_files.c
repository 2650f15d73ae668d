// SPDX-License-Identifier: GPL-2.0
/* files of a cgroup with seq_show() and write() (struct cftype, kernfs_notify) */
#include <linux/cgroup.h>
#include <linux/kernfs.h>
#include <linux/seq_file.h>

static int show(struct seq_file *m, void *v)
{
	kernfs_notify(seq_css(m)->cgroup->kn);
	return 0;
}

static ssize_t write(struct kernfs_open_file *of, char *buf, size_t nbytes, loff_t off)
{
	return of_css(of) && of->file ? nbytes : 0;
}

struct cftype probe[] = {
	{ .name = "probe", .seq_show = show, .write = write },
	{ }
};
