/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - who is at the other end
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_WHO_H
#define _TBTFD_WHO_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

bool tbtf_who_at(const struct tbtf_peer *peer, const struct sockaddr_storage *from);
bool tbtf_who_known(const struct tbtf_conf *conf, const struct sockaddr_storage *from);
void tbtf_who_text(const struct sockaddr_storage *from, char *buf, size_t size);
void tbtf_stranger(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* _TBTFD_WHO_H */
