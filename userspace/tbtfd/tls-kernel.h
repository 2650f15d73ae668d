/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tbtf - TLS that the kernel goes on with
 *
 * Copyright (C) 2026 The tbtf authors
 */
#ifndef _TBTFD_TLS_KERNEL_H
#define _TBTFD_TLS_KERNEL_H

#include "conf.h"
#include "stream.h"
#include "tls.h"

int tbtf_tls_wait_ms(const struct tbtf_stream *stream, unsigned int ms);
int tbtf_tls_connect(struct tbtf_stream *stream, struct tbtf_tls *tls, const struct tbtf_conf *conf,
		     const struct tbtf_peer *peer, bool for_kernel, unsigned int ms,
		     struct tbtf_tls_error *error);
int tbtf_tls_let_go(struct tbtf_stream *stream, struct tbtf_tls_error *error);

#endif /* _TBTFD_TLS_KERNEL_H */
