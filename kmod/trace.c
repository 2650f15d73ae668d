// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - where the tracepoints live
 *
 * Copyright (C) 2026 The tbtf authors
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
