// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the words for the numbers of the binary interface
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * One table each, indexed by the value. A word that a newer module knows and
 * this library does not is "?".
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "tbtf.h"

static const char * const roles[] = {
	[TBTF_ROLE_INHERIT]	= "inherit",
	[TBTF_ROLE_TBTF]	= "tbtf",
	[TBTF_ROLE_SPARE]	= "spare",
	[TBTF_ROLE_EXPENDABLE]	= "expendable",
	[TBTF_ROLE_ORDINARY]	= "ordinary",
};

static const char * const sources[] = {
	[TBTF_SOURCE_NONE]	= "none",
	[TBTF_SOURCE_PROCESS]	= "process",
	[TBTF_SOURCE_MM]	= "mm",
	[TBTF_SOURCE_CGROUP]	= "cgroup",
};

static const char * const bands[] = {
	[TBTF_BAND_EXPENDABLE]	= "expendable",
	[TBTF_BAND_RAISED]	= "raised",
	[TBTF_BAND_ORDINARY]	= "ordinary",
	[TBTF_BAND_LOWERED]	= "lowered",
	[TBTF_BAND_OWN]		= "own",
	[TBTF_BAND_BIGGER]	= "bigger",
	[TBTF_BAND_NR]		= "none",
};

static const char * const policies[] = {
	[TBTF_POLICY_SET]	= "set",
	[TBTF_POLICY_UNIFORM]	= "uniform",
	[TBTF_POLICY_WEIGHTED]	= "weighted",
	[TBTF_POLICY_LARGEST]	= "largest",
};

static const struct {
	const char *name;
	const char *text;
} reasons[] = {
	[TBTF_REASON_CANDIDATE]	= { "candidate", "is a candidate" },
	[TBTF_REASON_INIT]	= { "init", "the init process" },
	[TBTF_REASON_KTHREAD]	= { "kthread", "a kernel thread" },
	[TBTF_REASON_NO_MM]	= { "no-mm", "a zombie, has no memory" },
	[TBTF_REASON_SELF]	= { "self", "the protected process itself" },
	[TBTF_REASON_PROTECTED]	= { "protected", "too big to fail as well" },
	[TBTF_REASON_SPARE]	= { "spare", "has the role spare" },
	[TBTF_REASON_ADJ_MIN]	= { "adj-min", "oom_score_adj is -1000" },
	[TBTF_REASON_IN_FLIGHT]	= { "in-flight", "an OOM victim already" },
	[TBTF_REASON_DYING]	= { "dying", "on its way out" },
	[TBTF_REASON_ORIGIN]	= { "origin", "in swapoff or stopping KSM" },
	[TBTF_REASON_VFORK]	= { "vfork", "in vfork" },
	[TBTF_REASON_MEMCG]	= { "memcg", "outside the cgroup" },
	[TBTF_REASON_CPUSET]	= { "cpuset", "outside the cpuset's nodes" },
	[TBTF_REASON_MEMPOLICY]	= { "mempolicy", "outside the memory policy" },
	[TBTF_REASON_TOO_SMALL]	= { "too-small", "worth less than min_victim_kb" },
	[TBTF_REASON_TOO_BIG]	= { "too-big", "not smaller" },
	[TBTF_REASON_ANCESTOR]	= { "ancestor", "an ancestor" },
	[TBTF_REASON_SHARED_MM]	= { "shared-mm", "shares memory with a kept one" },
	[TBTF_REASON_OOM_GROUP]	= { "oom-group", "its oom.group has a kept one" },
	[TBTF_REASON_RESPAWN]	= { "respawn", "its cgroup keeps respawning" },
};

_Static_assert(ARRAY_SIZE(reasons) == TBTF_REASON_NR, "a reason without a word");
_Static_assert(ARRAY_SIZE(bands) == TBTF_BAND_NR + 1, "a band without a word");

static const char *word(const char * const *table, size_t nr, uint32_t value)
{
	return value < nr && table[value] ? table[value] : "?";
}

static int parse(const char * const *table, size_t nr, const char *text, uint32_t *ret_value)
{
	for (size_t i = 0; i < nr; i++) {
		if (table[i] && !strcmp(table[i], text)) {
			*ret_value = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *tbtf_role_name(uint32_t role)
{
	return word(roles, ARRAY_SIZE(roles), role);
}

const char *tbtf_source_name(uint32_t source)
{
	return word(sources, ARRAY_SIZE(sources), source);
}

const char *tbtf_band_name(uint32_t band)
{
	return word(bands, ARRAY_SIZE(bands), band);
}

const char *tbtf_policy_name(uint32_t policy)
{
	return word(policies, ARRAY_SIZE(policies), policy);
}

const char *tbtf_reason_name(uint32_t reason)
{
	return reason < ARRAY_SIZE(reasons) && reasons[reason].name ? reasons[reason].name : "?";
}

const char *tbtf_reason_text(uint32_t reason)
{
	return reason < ARRAY_SIZE(reasons) && reasons[reason].text ? reasons[reason].text : "?";
}

int tbtf_role_parse(const char *text, uint32_t *ret_role)
{
	return parse(roles, ARRAY_SIZE(roles), text, ret_role);
}

int tbtf_policy_parse(const char *text, uint32_t *ret_policy)
{
	/* "set" is the library's word for "as the knob says"; no knob takes it. */
	return parse(policies, ARRAY_SIZE(policies), text, ret_policy);
}
