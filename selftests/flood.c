// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - mark and unmark oneself so many times: two events each
 *
 * Copyright (C) 2026 The tbtf authors
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include <linux/tbtf.h>

int main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	for (long i = 0; i < n; i++)
		if (prctl(PR_SET_TBTF, TBTF_ON, 0, 0, 0) || prctl(PR_SET_TBTF, 0, 0, 0, 0)) {
			perror("flood: PR_SET_TBTF");
			return 1;
		}
	return n <= 0;
}
