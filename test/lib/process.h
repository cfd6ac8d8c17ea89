/* What tests ask about their own process, and places to put things. */
#ifndef PL_TEST_LIB_PROCESS_H
#define PL_TEST_LIB_PROCESS_H

/* Open file descriptors of this process. */
unsigned pl_test_fds_open(void);

/* A fresh folder under TMPDIR; `path_out` has room for PL_TEST_PATH_MAX bytes. */
#define PL_TEST_PATH_MAX 96
void pl_test_folder_create(char *path_out);
void pl_test_folder_remove(const char *path); /* and the files in it */

/* A test that hangs is ended with a message that names what it was at. */
void pl_test_watchdog(unsigned seconds);
void pl_test_at(const char *what); /* kept, not copied */

#endif
