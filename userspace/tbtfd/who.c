// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - who is at the other end
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * With TLS the certificate says it (tls.c). In the clear only the address can, and
 * it has to be that of the peer in the configuration; the port does not matter.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "who.h"

/* Strangers may knock as often as they like, but not fill the log: so many a minute. */
#define STRANGERS	60

/* An IPv4 address that came through a socket of IPv6 is one of IPv4. */
static sa_family_t bare(const struct sockaddr_storage *sa, const void **ret_bytes, size_t *ret_len)
{
	const struct sockaddr_in6 *v6 = (const void *)sa;
	const struct sockaddr_in *v4 = (const void *)sa;

	if (sa->ss_family == AF_INET) {
		*ret_bytes = &v4->sin_addr;
		*ret_len = 4;
		return AF_INET;
	}
	if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		*ret_bytes = v6->sin6_addr.s6_addr + 12;
		*ret_len = 4;
		return AF_INET;
	}
	if (sa->ss_family == AF_INET6) {
		*ret_bytes = &v6->sin6_addr;
		*ret_len = 16;
		return AF_INET6;
	}
	*ret_bytes = NULL;
	*ret_len = 0;
	return AF_UNSPEC;
}

/**
 * tbtf_who_at - whether somebody has the address of a peer
 * @peer: of the configuration
 * @from: where a connection comes from
 *
 * Return: whether it has.
 */
bool tbtf_who_at(const struct tbtf_peer *peer, const struct sockaddr_storage *from)
{
	const void *a, *b;
	size_t a_len, b_len;
	sa_family_t family = bare(&peer->address.sa, &a, &a_len);

	return family != AF_UNSPEC && family == bare(from, &b, &b_len) && !memcmp(a, b, a_len);
}

/**
 * tbtf_who_known - whether somebody has the address of any peer
 * @conf: the configuration
 * @from: where a connection comes from
 *
 * Return: whether it has.
 */
bool tbtf_who_known(const struct tbtf_conf *conf, const struct sockaddr_storage *from)
{
	for (size_t i = 0; i < conf->peers; i++) {
		if (tbtf_who_at(&conf->peer[i], from))
			return true;
	}
	return false;
}

/**
 * tbtf_who_text - an address, for messages
 * @from: the address
 * @buf: gets it, cut off where it does not fit
 * @size: of @buf
 */
void tbtf_who_text(const struct sockaddr_storage *from, char *buf, size_t size)
{
	char host[64], port[8];

	if (getnameinfo((const void *)from, sizeof(*from), host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(buf, size, "somebody");
	else
		snprintf(buf, size, from->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/**
 * tbtf_stranger - log that somebody was refused, if not too many were
 * @format: who, and why
 *
 * Context: any thread.
 */
void tbtf_stranger(const char *format, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned int said, unsaid;
	static time_t since;
	unsigned int missed = 0;
	struct timespec now;
	char line[512];
	va_list args;
	bool say;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if (!since || now.tv_sec - since >= 60) {
		since = now.tv_sec;
		missed = unsaid;
		said = 0;
		unsaid = 0;
	}
	say = said < STRANGERS;
	said += say;
	unsaid += !say;
	pthread_mutex_unlock(&lock);
	if (missed)
		tbtf_warning("%u more were refused in the minute before", missed);
	if (!say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	tbtf_warning("%s", line);
}
