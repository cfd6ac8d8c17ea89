/*
 * Log lines on stderr, or in the file that PLENUM_LOG_FILE names; silent unless PLENUM_LOG asks (error, warn, info,
 * debug) or the program is the server or the tool, which start at "warn"; but for what pl_log_tell() is for.  Any
 * thread; never changes errno.
 */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <stdbool.h>

enum pl_log_level { PL_LOG_OFF, PL_LOG_ERROR, PL_LOG_WARN, PL_LOG_INFO, PL_LOG_DEBUG };

/* Sets the level that holds where PLENUM_LOG is not set; `name` stands in front of each line and is kept. */
void pl_log_init(const char *name, enum pl_log_level level_default);
/* Lines that would go to stderr go to fd from now on, which is kept: for whoever makes stderr something else. */
void pl_log_fd(int fd);
bool pl_log_on(enum pl_log_level level);
void pl_log(enum pl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A warning that is written also where PLENUM_LOG is not set: what a program's user has to know, once for each thing.
 */
void pl_log_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define pl_log_error(...) pl_log(PL_LOG_ERROR, __VA_ARGS__)
#define pl_log_warn(...)  pl_log(PL_LOG_WARN, __VA_ARGS__)
#define pl_log_info(...)  pl_log(PL_LOG_INFO, __VA_ARGS__)
#define pl_log_debug(...)                                                                                              \
	do {                                                                                                           \
		if (pl_log_on(PL_LOG_DEBUG))                                                                           \
			pl_log(PL_LOG_DEBUG, __VA_ARGS__);                                                             \
	} while (0)

#endif
