/* What a lane's socket is, and is told to be. */
#ifndef PL_LINK_TCP_SOCKET_H
#define PL_LINK_TCP_SOCKET_H

#include <stdbool.h>

#define PL_TCP_WATCH_S 15 /* how often a sleeper asks whether the link is cut */

void pl_tcp_option_set(int fd, int level, int option, int value);
/* Small records at once, and a peer that vanishes is found.  near: it is on this host. */
void pl_tcp_socket_prepare(int fd, bool near);
bool pl_tcp_is_cut(int fd);
bool pl_tcp_is_tcp(int fd);
bool pl_tcp_is_near(int fd);

#endif
