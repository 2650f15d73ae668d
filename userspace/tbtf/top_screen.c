// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - top: the terminal, by ncurses
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * ncurses is looked for when it is needed, so that the command runs where there
 * is none. Into tbtf-static, which cannot look for anything, it is linked. It is
 * a matter of the build which of the two this becomes, if any:
 *	TBTF_CURSES_DLOPEN	there are headers
 *	TBTF_CURSES_LINKED	there are static libraries, too
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd.h"
#include "top.h"

#if defined(TBTF_CURSES_DLOPEN) || defined(TBTF_CURSES_LINKED)
#define NCURSES_NOMACROS
#include <curses.h>
#include <dlfcn.h>

#define LIBRARY	"libncursesw.so.6"

/* What is in use of it. */
static struct {
	WINDOW **stdscr;
	__typeof__(newterm) *newterm;
	__typeof__(set_term) *set_term;
	__typeof__(delscreen) *delscreen;
	__typeof__(endwin) *endwin;
	__typeof__(cbreak) *cbreak;
	__typeof__(noecho) *noecho;
	__typeof__(nodelay) *nodelay;
	__typeof__(leaveok) *leaveok;
	__typeof__(curs_set) *curs_set;
	__typeof__(resizeterm) *resizeterm;
	__typeof__(wgetch) *wgetch;
	__typeof__(wmove) *wmove;
	__typeof__(waddnstr) *waddnstr;
	__typeof__(wattrset) *wattrset;
	__typeof__(werase) *werase;
	__typeof__(wrefresh) *wrefresh;
} nc;

#ifdef TBTF_CURSES_LINKED
#define ADDRESS(symbol)	((void *)&(symbol))
#else
#define ADDRESS(symbol)	NULL
#endif
#define SYMBOL(symbol)	{ #symbol, (void **)&nc.symbol, ADDRESS(symbol) }

static const struct {
	const char *name;
	void **to;
	void *address;		/* where it is linked */
} symbols[] = {
	SYMBOL(newterm), SYMBOL(set_term), SYMBOL(delscreen), SYMBOL(endwin), SYMBOL(cbreak),
	SYMBOL(noecho), SYMBOL(nodelay), SYMBOL(leaveok), SYMBOL(curs_set), SYMBOL(resizeterm),
	SYMBOL(wgetch), SYMBOL(wmove), SYMBOL(waddnstr), SYMBOL(wattrset), SYMBOL(werase),
	SYMBOL(wrefresh), SYMBOL(stdscr),
};

static SCREEN *screen;

static int load(void)
{
#ifdef TBTF_CURSES_DLOPEN
	void *library = dlopen(LIBRARY, RTLD_NOW);

	if (!library) {
		tbtf_error("the full screen needs %s: install the package libncursesw6, or use --once",
			   LIBRARY);
		return EXIT_FAILED;
	}
#endif
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *address = symbols[i].address;

#ifdef TBTF_CURSES_DLOPEN
		address = dlsym(library, symbols[i].name);
		if (!address) {
			tbtf_error("%s has no %s: another version is installed", LIBRARY,
				   symbols[i].name);
			return EXIT_FAILED;
		}
#endif
		*symbols[i].to = address;
	}
	return EXIT_OK;
}

int top_screen_open(void)
{
	const char *type = getenv("TERM");
	int code = load();

	if (code)
		return code;
	screen = nc.newterm(NULL, stdout, stdin);
	if (!screen) {
		tbtf_error("nothing is known of a terminal of the type '%s' (TERM): install ncurses-term, or use --once",
			   type ? type : "");
		return EXIT_FAILED;
	}
	nc.set_term(screen);
	nc.cbreak();
	nc.noecho();
	nc.curs_set(0);
	nc.nodelay(*nc.stdscr, TRUE);
	nc.leaveok(*nc.stdscr, TRUE);
	return EXIT_OK;
}

void top_screen_close(void)
{
	nc.curs_set(1);
	nc.endwin();
	nc.delscreen(screen);
}

void top_screen_resize(int lines, int columns)
{
	nc.resizeterm(lines, columns);
	nc.werase(*nc.stdscr);
}

void top_screen_show(const struct top_picture *p)
{
	nc.werase(*nc.stdscr);
	for (int i = 0; i < p->lines; i++) {
		nc.wmove(*nc.stdscr, i, 0);
		for (int k = 0; k < p->columns; k++) {
			const struct top_cell *cell = &p->cells[i][k];

			nc.wattrset(*nc.stdscr, (cell->look & TOP_BOLD ? A_BOLD : 0) |
				    (cell->look & TOP_REVERSE ? A_REVERSE : 0));
			nc.waddnstr(*nc.stdscr, cell->text, cell->len);
		}
	}
	nc.wrefresh(*nc.stdscr);
}

int top_screen_key(void)
{
	int key = nc.wgetch(*nc.stdscr);

	return key == ERR ? -1 : key;
}

#else

int top_screen_open(void)
{
	tbtf_error("this tbtf was built without ncurses: build it with the package libncurses-dev installed, or use --once");
	return EXIT_FAILED;
}

void top_screen_close(void)
{
}

void top_screen_resize(int lines, int columns)
{
	(void)lines;
	(void)columns;
}

void top_screen_show(const struct top_picture *picture)
{
	(void)picture;
}

int top_screen_key(void)
{
	return -1;
}

#endif

void top_screen_size(int *ret_lines, int *ret_columns)
{
	struct winsize size;

	*ret_lines = 24;
	*ret_columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		*ret_lines = size.ws_row;
		*ret_columns = size.ws_col;
	}
}
