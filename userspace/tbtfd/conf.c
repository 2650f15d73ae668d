// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - the configuration of tbtfd, read and checked
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * What comes in is a file, what goes out is a struct, or a sentence that says
 * what is wrong in which line and what would be right. Nothing here has an
 * effect on anything else, but that names of hosts are looked up.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define TIB_KB		(1ULL << 30)

enum type {
	NUMBER,			/* uint64_t, from low to high */
	YES_NO,			/* bool */
	WORD,			/* int: the index in words */
	NAME,			/* char[TBTF_NAME_LEN] */
	PATH,			/* char[256] */
	ADDRESS,		/* struct tbtf_address */
	MINTS,			/* int[TBTF_MINTS], and conf.print.mints */
};

/* One key: where its value goes, and what may be said. */
struct key {
	const char *section;
	const char *name;
	enum type type;
	size_t offset;
	uint64_t low, high;
	const char *unit;
	const char * const *words;	/* an empty one cannot be said */
};

static const char * const encryption_words[] = { "", "tls", "none", NULL };
static const char * const secrecy_words[] = { "lender", "none", NULL };
static const char * const steal_words[] = { "last", "pressure", NULL };
static const char * const mint_words[] = {
	[TBTF_MINT_ZRAM] = "zram",
	[TBTF_MINT_FILE] = "file",
	[TBTF_MINT_LIMIT] = "limit",
	[TBTF_MINT_HOTPLUG] = "hotplug",
	[TBTF_MINTS] = NULL,
};

#define AT(field)	offsetof(struct tbtf_conf, field)

static const struct key keys[] = {
	{ "node", "name", NAME, AT(node), 0, 0, NULL, NULL },
	/* An extent of 16 MiB has a swap header and room; 16 of them are a small VM's line. */
	{ "borrow", "credit_kb", NUMBER, AT(borrow.credit_kb), 16384, 64 * TIB_KB, "KiB", NULL },
	{ "borrow", "extent_kb", NUMBER, AT(borrow.extent_kb), 16384, 16 * TIB_KB, "KiB", NULL },
	{ "borrow", "copies", NUMBER, AT(borrow.copies), 1, 2, "copies", NULL },
	{ "borrow", "min_free_kbytes", NUMBER, AT(borrow.min_free_kb), 1024, 4194304, "KiB", NULL },
	{ "borrow", "ballast_kb", NUMBER, AT(borrow.ballast_kb), 0, 1048576, "KiB", NULL },
	{ "borrow", "timeout_s", NUMBER, AT(borrow.timeout_s), 1, 3600, "seconds", NULL },
	{ "borrow", "dead_timeout_s", NUMBER, AT(borrow.dead_timeout_s), 0, 86400, "seconds", NULL },
	{ "borrow", "replace_after_s", NUMBER, AT(borrow.replace_after_s), 1, 86400, "seconds", NULL },
	{ "borrow", "give_back_after_s", NUMBER, AT(borrow.give_back_after_s), 1, 604800, "seconds", NULL },
	{ "borrow", "hops", NUMBER, AT(borrow.hops), 1, 16, "nodes", NULL },
	{ "borrow", "priority", NUMBER, AT(borrow.priority), 0, 32767, "", NULL },
	{ "borrow", "secrecy", WORD, AT(borrow.secrecy), 0, 0, NULL, secrecy_words },
	{ "borrow", "steal_when", WORD, AT(borrow.steal_when), 0, 0, NULL, steal_words },
	{ "lend", "listen", ADDRESS, AT(lend.listen), 0, 0, NULL, NULL },
	{ "lend", "nbd_port", NUMBER, AT(lend.nbd_port), 1, 65535, "", NULL },
	{ "lend", "memory_kb", NUMBER, AT(lend.memory_kb), 16384, 64 * TIB_KB, "KiB", NULL },
	{ "lend", "headroom_kb", NUMBER, AT(lend.headroom_kb), 1024, 64 * TIB_KB, "KiB", NULL },
	{ "lend", "per_borrower_kb", NUMBER, AT(lend.per_borrower_kb), 16384, 64 * TIB_KB, "KiB", NULL },
	{ "lend", "lease_s", NUMBER, AT(lend.lease_s), 10, 604800, "seconds", NULL },
	{ "lend", "pass_on", YES_NO, AT(lend.pass_on), 0, 0, NULL, NULL },
	{ "lend", "panic_while_lending", YES_NO, AT(lend.panic_while_lending), 0, 0, NULL, NULL },
	{ "lend", "too_big_to_fail", YES_NO, AT(lend.too_big_to_fail), 0, 0, NULL, NULL },
	{ "print", "mints", MINTS, AT(print.mint), 0, 0, NULL, mint_words },
	{ "print", "withdraw_after_s", NUMBER, AT(print.withdraw_after_s), 1, 604800, "seconds", NULL },
	{ "print", "zram_kb", NUMBER, AT(print.zram_kb), 4096, 64 * TIB_KB, "KiB", NULL },
	{ "print", "zram_priority", NUMBER, AT(print.zram_priority), 1, 32767, "", NULL },
	{ "print", "file", PATH, AT(print.file), 0, 0, NULL, NULL },
	{ "print", "limit_max_kb", NUMBER, AT(print.limit_max_kb), 4096, 64 * TIB_KB, "KiB", NULL },
	{ "print", "file_kb", NUMBER, AT(print.file_kb), 4096, 16 * TIB_KB, "KiB", NULL },
	{ "print", "qmp", PATH, AT(print.qmp), 0, 0, NULL, NULL },
	{ "print", "hotplug_command", PATH, AT(print.hotplug_command), 0, 0, NULL, NULL },
	{ "print", "hotplug_device", NAME, AT(print.hotplug_device), 0, 0, NULL, NULL },
	{ "print", "hotplug_base_kb", NUMBER, AT(print.hotplug_base_kb), 0, 64 * TIB_KB, "KiB", NULL },
	{ "print", "hotplug_max_kb", NUMBER, AT(print.hotplug_max_kb), 16384, 64 * TIB_KB, "KiB", NULL },
	/* The tables of a step are held ready: 64 MiB of the largest. */
	{ "print", "hotplug_step_kb", NUMBER, AT(print.hotplug_step_kb), 16384, 4194304, "KiB", NULL },
	{ "print", "hotplug_ahead", YES_NO, AT(print.hotplug_ahead), 0, 0, NULL, NULL },
	{ "exhausted", "watchdog", PATH, AT(exhausted.watchdog), 0, 0, NULL, NULL },
	{ "exhausted", "watchdog_timeout_s", NUMBER, AT(exhausted.watchdog_timeout_s), 2, 3600, "seconds", NULL },
	{ "security", "encryption", WORD, AT(security.encryption), 0, 0, NULL, encryption_words },
	{ "security", "ca", PATH, AT(security.ca), 0, 0, NULL, NULL },
	{ "security", "cert", PATH, AT(security.cert), 0, 0, NULL, NULL },
	{ "security", "key", PATH, AT(security.key), 0, 0, NULL, NULL },
};

/* The file while it is read. */
struct reading {
	struct tbtf_conf *conf;
	struct tbtf_conf_error *error;
	const char *path;
	FILE *file;
	unsigned int line;
	bool failed;
	unsigned int said[ARRAY_SIZE(keys)];	/* in which line */
};

__attribute__((format(printf, 2, 3)))
static int wrong(struct tbtf_conf_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* What is wrong with the line at hand. 0, as inih wants it. */
#define wrong_line(r, format, ...) __extension__ ({ \
	(r)->failed = true; \
	(void)wrong((r)->error, "%s:%u: " format, (r)->path, (r)->line, ##__VA_ARGS__); \
	0; })

/**
 * tbtf_conf_name_ok() - may a node be called that?
 * @name: the name
 *
 * Return: whether it is made of 1 to 63 letters, digits, '.', '_' and '-'.
 */
bool tbtf_conf_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len >= TBTF_NAME_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

static bool number(const char *text, uint64_t low, uint64_t high, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (*text - '0');
	}
	if (value < low || value > high)
		return false;
	*ret = value;
	return true;
}

/**
 * tbtf_address_parse() - read "address[:port]"
 * @ret: where it goes; untouched if there is none
 * @text: 192.0.2.1, 192.0.2.1:10810, 2001:db8::1, [2001:db8::1]:10810, or a host's name
 * @default_port: where @text has none
 *
 * Context: looks up names, and may wait for a name server.
 * Return: 0; -EINVAL: that is no address, or no port; -ENOENT: no host of this name.
 */
int tbtf_address_parse(struct tbtf_address *ret, const char *text, uint16_t default_port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	struct tbtf_address address = { .port_given = false };
	char host[sizeof(address.text)], digits[8];
	const char *end, *colon = NULL;
	uint64_t port = default_port;

	if (!*text || strlen(text) >= sizeof(address.text))
		return -EINVAL;
	strcpy(address.text, text);
	strcpy(host, text);
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		memcpy(host, text + 1, end - text - 1);
		host[end - text - 1] = 0;
		colon = end[1] ? end + 1 : NULL;
		hints.ai_flags = AI_NUMERICHOST;
	} else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
		colon = strchr(text, ':');
		host[colon - text] = 0;
	}
	if (colon) {
		if (!number(colon + 1, 1, 65535, &port))
			return -EINVAL;
		address.port_given = true;
	}
	if (!*host)
		return -EINVAL;
	(void)snprintf(digits, sizeof(digits), "%u", (unsigned int)port);
	/* First as a number: that asks nobody. */
	hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (getaddrinfo(host, digits, &hints, &found)) {
		if (*text == '[' || strspn(host, "0123456789.") == strlen(host))
			return -EINVAL;
		hints.ai_flags = AI_NUMERICSERV;
		if (getaddrinfo(host, digits, &hints, &found))
			return -ENOENT;
	}
	memcpy(&address.sa, found->ai_addr, found->ai_addrlen);
	address.len = found->ai_addrlen;
	freeaddrinfo(found);
	*ret = address;
	return 0;
}

/* The index of @value in @key->words, or -1, and then @list has them all. */
static int find_word(const struct key *key, const char *value, char list[256])
{
	*list = 0;
	for (int i = 0; key->words[i]; i++) {
		if (!*key->words[i])
			continue;
		if (!strcmp(key->words[i], value))
			return i;
		if (*list)
			strcat(list, ", ");
		strcat(list, key->words[i]);
	}
	return -1;
}

static int set_word(struct reading *r, const struct key *key, const char *value, int *ret)
{
	char list[256];
	int i = find_word(key, value, list);

	if (i < 0)
		return wrong_line(r, "%s = %s: one of: %s", key->name, value, list);
	*ret = i;
	return 1;
}

/* Words with blanks between, each once: their order is the order of asking. */
static int set_mints(struct reading *r, const struct key *key, const char *value)
{
	char copy[256], list[256], *rest = copy, *word;
	int mint[TBTF_MINTS], i;
	size_t n = 0;

	if (strlen(value) >= sizeof(copy))
		return wrong_line(r, "%s: longer than %zu characters", key->name, sizeof(copy) - 1);
	strcpy(copy, value);
	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		i = find_word(key, word, list);
		if (i < 0)
			return wrong_line(r, "%s has '%s': one or more of: %s", key->name, word, list);
		for (size_t j = 0; j < n; j++)
			if (mint[j] == i)
				return wrong_line(r, "%s has '%s' twice: each stands once", key->name,
						  word);
		mint[n++] = i;
	}
	if (!n) {
		(void)find_word(key, "", list);
		return wrong_line(r, "%s = : one or more of: %s; to print nothing leave it out", key->name,
				  list);
	}
	memcpy(r->conf->print.mint, mint, n * sizeof(*mint));
	r->conf->print.mints = n;
	return 1;
}

static int set_address(struct reading *r, const char *name, const char *value, uint16_t port,
		       struct tbtf_address *ret)
{
	switch (tbtf_address_parse(ret, value, port)) {
	case 0:
		return 1;
	case -ENOENT:
		return wrong_line(r, "%s = %s: no host of this name is known", name, value);
	default:
		return wrong_line(r, "%s = %s: not address[:port], such as 192.0.2.7, 192.0.2.7:%u or [2001:db8::7]:%u",
				  name, value, port, port);
	}
}

static int set(struct reading *r, const struct key *key, const char *value)
{
	void *to = (char *)r->conf + key->offset;

	switch (key->type) {
	case NUMBER:
		if (number(value, key->low, key->high, to))
			return 1;
		return wrong_line(r, "%s = %s: a number from %" PRIu64 " to %" PRIu64 "%s%s, digits only",
				  key->name, value, key->low, key->high, *key->unit ? " " : "", key->unit);
	case YES_NO:
		if (strcmp(value, "yes") && strcmp(value, "no"))
			return wrong_line(r, "%s = %s: yes or no", key->name, value);
		*(bool *)to = *value == 'y';
		return 1;
	case WORD:
		return set_word(r, key, value, to);
	case NAME:
		if (!tbtf_conf_name_ok(value))
			return wrong_line(r, "%s = %s: 1 to %d letters, digits, '.', '_' or '-'",
					  key->name, value, TBTF_NAME_LEN - 1);
		strcpy(to, value);
		return 1;
	case PATH:
		if (*value != '/' || strlen(value) >= sizeof(r->conf->security.ca))
			return wrong_line(r, "%s = %s: a file's full name, from / on, of up to %zu characters",
					  key->name, value, sizeof(r->conf->security.ca) - 1);
		strcpy(to, value);
		return 1;
	case ADDRESS:
		return set_address(r, key->name, value, TBTF_CONTROL_PORT, to);
	case MINTS:
		return set_mints(r, key, value);
	}
	return 0;
}

static int add_peer(struct reading *r, const char *name, const char *value)
{
	struct tbtf_conf *conf = r->conf;

	if (!tbtf_conf_name_ok(name))
		return wrong_line(r, "'%s' is no name of a node: 1 to %d letters, digits, '.', '_' or '-'",
				  name, TBTF_NAME_LEN - 1);
	if (tbtf_conf_peer(conf, name))
		return wrong_line(r, "peer '%s' for the second time: a name stands once", name);
	if (conf->peers == TBTF_PEERS_MAX)
		return wrong_line(r, "more than %d peers", TBTF_PEERS_MAX);
	if (!set_address(r, name, value, TBTF_CONTROL_PORT, &conf->peer[conf->peers].address))
		return 0;
	strcpy(conf->peer[conf->peers++].name, name);
	return 1;
}

static int unknown_key(struct reading *r, const char *section, const char *name)
{
	bool known = !strcmp(section, "peers");
	char list[640] = "";

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section))
			continue;
		known = true;
		if (*list)
			strcat(list, ", ");
		strcat(list, keys[i].name);
	}
	if (!*section)
		return wrong_line(r, "'%s' stands before the first [section]", name);
	if (!known)
		return wrong_line(r, "no section is called [%s]: there are [node], [peers], [borrow], [lend], [print], [security]",
				  section);
	return wrong_line(r, "[%s] has no key '%s': there are %s", section, name, list);
}

/* What inih calls for each "name = value". 0 is an error. */
static int handle(void *data, const char *section, const char *name, const char *value)
{
	struct reading *r = data;

	if (r->failed)
		return 0;
	if (!strcmp(section, "peers"))
		return add_peer(r, name, value);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) || strcmp(keys[i].name, name))
			continue;
		if (r->said[i])
			return wrong_line(r, "%s for the second time: it stands in line %u already",
					  name, r->said[i]);
		r->said[i] = r->line;
		return set(r, &keys[i], value);
	}
	return unknown_key(r, section, name);
}

/* inih would take a section that is empty, whatever it is called. */
static bool section_ok(struct reading *r, const char *line)
{
	size_t len = strcspn(line, "]");
	char name[32];

	if (line[len] != ']' || len > sizeof(name))
		len = 1;
	memcpy(name, line + 1, len - 1);
	name[len - 1] = 0;
	if (!strcmp(name, "peers"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].section, name))
			return true;
	(void)unknown_key(r, *name ? name : "?", "");
	return false;
}

/*
 * One line for inih: fgets() that counts, ends with the first error, and takes
 * away leading white space, which inih takes for "more of the line before".
 */
static char *next_line(char *to, int size, void *data)
{
	struct reading *r = data;
	size_t white;

	if (r->failed || !fgets(to, size, r->file))
		return NULL;
	r->line++;
	if (!strchr(to, '\n') && !feof(r->file)) {
		(void)wrong_line(r, "longer than %d characters", size - 2);
		return NULL;
	}
	white = strspn(to, " \t");
	memmove(to, to + white, strlen(to + white) + 1);
	if (*to == '[' && !section_ok(r, to))
		return NULL;
	return to;
}

static void defaults(struct tbtf_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	if (gethostname(conf->node, sizeof(conf->node) - 1))
		conf->node[0] = 0;
	conf->node[strcspn(conf->node, ".")] = 0;

	conf->borrow.ballast_kb = 16384;
	/* A switch that restarts, a lender's host that does: the pages come back. */
	conf->borrow.dead_timeout_s = 60;
	/* Longer than a link flaps: what it missed is little, and a new lender gets everything. */
	conf->borrow.replace_after_s = 30;
	conf->borrow.give_back_after_s = 300;
	conf->borrow.hops = 4;
	/* Before a disk, after a zram of the usual 100. */
	conf->borrow.priority = 10;

	/* Printed memory is dearer than stolen: it goes back first. */
	conf->print.withdraw_after_s = 60;
	/* Nearer than another node, farther than a zram of the usual 100. */
	conf->print.zram_priority = 50;
	/* A memory block of most machines. */
	conf->print.hotplug_step_kb = 131072;
	conf->print.hotplug_ahead = true;

	(void)tbtf_address_parse(&conf->lend.listen, "[::]", TBTF_CONTROL_PORT);
	conf->lend.nbd_port = TBTF_NBD_PORT;
	conf->lend.lease_s = 600;
	conf->lend.pass_on = true;
	conf->exhausted.watchdog_timeout_s = 60;
}

/* What depends on what was said, where nothing was. */
static void other_defaults(struct tbtf_conf *conf)
{
	if (!conf->borrow.copies)
		conf->borrow.copies = conf->peers < 2 ? 1 : 2;
	/*
	 * Of a request: a lender answers in microseconds, a congested link in a second or
	 * two. Where there is another copy it is not worth to wait for longer.
	 */
	if (!conf->borrow.timeout_s)
		conf->borrow.timeout_s = conf->borrow.copies > 1 ? 2 : 10;
}

/**
 * tbtf_conf_read() - read a configuration
 * @ret_conf: what it says; untouched if something is wrong
 * @path: the file
 * @error: what is wrong
 *
 * What one of the two daemons needs besides is for tbtf_conf_check_borrow() and
 * tbtf_conf_check_lend() to see.
 *
 * Context: reads a file, looks up names; not thread-safe.
 * Return: 0; -EINVAL: a line is wrong; or the errno of reading the file.
 */
int tbtf_conf_read(struct tbtf_conf *ret_conf, const char *path, struct tbtf_conf_error *error)
{
	struct tbtf_conf conf;
	struct reading r = { .conf = &conf, .error = error, .path = path };
	int rc, err;

	error->text[0] = 0;
	defaults(&conf);
	r.file = fopen(path, "re");
	if (!r.file) {
		err = -errno;
		(void)wrong(error, "cannot read %s: %s", path, strerror(-err));
		return err;
	}
	rc = ini_parse_stream(next_line, &r, handle, &r);
	err = ferror(r.file) ? -EIO : 0;
	(void)fclose(r.file);
	if (r.failed)
		return -EINVAL;
	if (err) {
		(void)wrong(error, "cannot read %s: %s", path, strerror(-err));
		return err;
	}
	if (rc < 0) {
		(void)wrong(error, "cannot read %s: %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	if (rc > 0)
		return wrong(error, "%s:%d: neither a [section] nor key = value", path, rc);
	other_defaults(&conf);
	*ret_conf = conf;
	return 0;
}

/**
 * tbtf_conf_peer() - find a peer by its name
 * @conf: the configuration
 * @name: of the node
 *
 * Return: the peer, or NULL.
 */
const struct tbtf_peer *tbtf_conf_peer(const struct tbtf_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->peers; i++)
		if (!strcmp(conf->peer[i].name, name))
			return &conf->peer[i];
	return NULL;
}

/* What both ends need: a name, peers, and a word about encryption. */
static int check_both(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	if (!tbtf_conf_name_ok(conf->node))
		return wrong(error, "the host's name '%s' will not do for a node: say [node] name = ...",
			     conf->node);
	if (!conf->peers)
		return wrong(error, "[peers] is empty: one line a node, name = address");
	if (tbtf_conf_peer(conf, conf->node))
		return wrong(error, "[peers] has '%s', which is this node: only the others stand there",
			     conf->node);
	switch (conf->security.encryption) {
	case TBTF_ENCRYPTION_UNSAID:
		return wrong(error, "[security] has to say encryption = tls, with ca, cert and key; or, if memory may cross the network readable by others, encryption = none");
	case TBTF_ENCRYPTION_TLS:
		if (!*conf->security.ca || !*conf->security.cert || !*conf->security.key)
			return wrong(error, "encryption = tls needs ca, cert and key in [security], all three");
		break;
	case TBTF_ENCRYPTION_NONE:
		if (*conf->security.ca || *conf->security.cert || *conf->security.key)
			return wrong(error, "encryption = none, and yet ca, cert or key in [security]: which is it?");
		break;
	}
	return 0;
}

static bool prints(const struct tbtf_conf *conf, enum tbtf_mint_kind kind)
{
	for (size_t i = 0; i < conf->print.mints; i++)
		if (conf->print.mint[i] == (int)kind)
			return true;
	return false;
}

static int check_hotplug(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	bool asks = *conf->print.qmp, runs = *conf->print.hotplug_command;

	if (!prints(conf, TBTF_MINT_HOTPLUG)) {
		if (asks || runs || *conf->print.hotplug_device || conf->print.hotplug_max_kb)
			return wrong(error, "[print] has qmp or hotplug_ keys, and yet mints has no 'hotplug': which is it?");
		return 0;
	}
	if (asks == runs)
		return wrong(error, "[print] mints: 'hotplug' needs qmp, where the hypervisor is asked, or hotplug_command, which asks it; and not both");
	if (!conf->print.hotplug_max_kb)
		return wrong(error, "[print] mints: 'hotplug' needs hotplug_max_kb: how much the hypervisor is asked for at most");
	if (conf->print.hotplug_step_kb > conf->print.hotplug_max_kb)
		return wrong(error, "[print] hotplug_step_kb = %" PRIu64 " is more than hotplug_max_kb = %" PRIu64,
			     conf->print.hotplug_step_kb, conf->print.hotplug_max_kb);
	if (*conf->print.hotplug_device && !asks)
		return wrong(error, "[print] hotplug_device needs qmp: the command knows itself what it asks for");
	if (conf->print.hotplug_base_kb && !*conf->print.hotplug_device)
		return wrong(error, "[print] hotplug_base_kb needs hotplug_device: it is what that device gives in ordinary times");
	return 0;
}

static int check_print(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	bool file = prints(conf, TBTF_MINT_FILE);

	int err = check_hotplug(conf, error);

	if (err)
		return err;
	if (prints(conf, TBTF_MINT_LIMIT) != !!conf->print.limit_max_kb)
		return wrong(error, "[print] mints: 'limit' needs limit_max_kb, above which no memory.max is raised, and nothing else does");
	if (file && (!*conf->print.file || !conf->print.file_kb))
		return wrong(error, "[print] mints: 'file' needs file, its name, and file_kb, its size");
	if (!file && (*conf->print.file || conf->print.file_kb))
		return wrong(error, "[print] has file or file_kb, and yet mints has no 'file': which is it?");
	/* As the kernel shows them in /proc/swaps they would be other names. */
	if (strpbrk(conf->print.file, " \t\\"))
		return wrong(error, "[print] file = %s: a name without blanks and backslashes", conf->print.file);
	if (prints(conf, TBTF_MINT_ZRAM) && conf->print.zram_priority <= conf->borrow.priority)
		return wrong(error, "[print] zram_priority = %" PRIu64 " has to be above [borrow] priority = %" PRIu64 ": what is compressed is nearer than what is stolen",
			     conf->print.zram_priority, conf->borrow.priority);
	return 0;
}

/* What has to be said where others lend. */
static int check_steal(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	int err = check_both(conf, error);

	if (err)
		return err;
	if (!conf->borrow.credit_kb)
		return wrong(error, "[borrow] has to say credit_kb: how much memory is kept ready to be stolen");
	if (conf->borrow.extent_kb > conf->borrow.credit_kb)
		return wrong(error, "[borrow] extent_kb = %" PRIu64 " is more than credit_kb = %" PRIu64,
			     conf->borrow.extent_kb, conf->borrow.credit_kb);
	if (conf->borrow.copies == 2 && conf->peers < 2)
		return wrong(error, "[borrow] copies = 2 needs two nodes in [peers]");
	return 0;
}

/**
 * tbtf_conf_check_borrow() - is that enough to borrow, and can this version do it?
 * @conf: what was read
 * @error: what is wrong
 *
 * With mints it is enough to have no peers: then nothing is stolen, only printed.
 *
 * Return: 0; -EINVAL: something is missing, or contradicts; -EOPNOTSUPP: this version cannot.
 */
int tbtf_conf_check_borrow(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	int err = 0;

	if (conf->peers || !conf->print.mints)
		err = check_steal(conf, error);
	else if (conf->borrow.credit_kb)
		return wrong(error, "[borrow] credit_kb = %" PRIu64 ", and yet [peers] is empty: stolen from whom?",
			     conf->borrow.credit_kb);
	return err ? err : check_print(conf, error);
}

/**
 * tbtf_conf_check_lend() - is that enough to lend, and can this version do it?
 * @conf: what was read
 * @error: what is wrong
 *
 * Return: 0; -EINVAL: something is missing, or contradicts; -EOPNOTSUPP: this version cannot.
 */
int tbtf_conf_check_lend(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	int err = check_both(conf, error);

	if (err)
		return err;
	if (!conf->lend.memory_kb)
		return wrong(error, "[lend] has to say memory_kb: how much is lent at most");
	if (conf->lend.per_borrower_kb > conf->lend.memory_kb)
		return wrong(error, "[lend] per_borrower_kb = %" PRIu64 " is more than memory_kb = %" PRIu64,
			     conf->lend.per_borrower_kb, conf->lend.memory_kb);
	return 0;
}

/**
 * tbtf_conf_check_watchdog() - is that enough for a watchdog?
 * @conf: what was read
 * @error: what is wrong
 *
 * It needs no other node: neither [peers] nor [security].
 *
 * Return: 0; -EINVAL: something is missing.
 */
int tbtf_conf_check_watchdog(const struct tbtf_conf *conf, struct tbtf_conf_error *error)
{
	if (!*conf->exhausted.watchdog)
		return wrong(error, "[exhausted] has to say watchdog: which, as in /dev/watchdog0");
	return 0;
}
