/*
 * Socket files of vhost-user ports: whose they are, who may use them, and what is wrong with
 * them in words that name the remedy.
 *
 * A socket file outlives the program that made it. So a file that is in the way is looked at
 * first: somebody listens (it stays, and we say who), nobody does (it goes), it is no socket
 * (it stays). Nothing that is not ours is ever removed.
 *
 * Threads: main thread, but for vhost_socket_tame().
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "ports/errtext.h"

/**
 * Makes the full path of socket 'name': relative names lie in 'run_dir'.
 * -EINVAL: none, or longer than a socket address can be.
 */
int vhost_socket_path(const char *name, const char *run_dir, char *path, size_t size,
		      struct errtext *e);

/**
 * Makes sure that a socket can be bound at 'path': removes a socket that nobody listens on.
 * -EADDRINUSE: somebody listens. -EEXIST: something there is no socket. Other errors of
 * bind(). Nothing is there on success.
 */
int vhost_socket_claim(const char *path, struct errtext *e);

/**
 * Removes a socket that a killed vswd left at 'path'. False: there is none, or somebody listens.
 */
bool vhost_socket_remove_stale(const char *path);

/**
 * Gives our fresh socket at 'path' its group and mode (ports_env), and tells which file it is,
 * also when the rest fails.
 * The socket was bound with mode 0600. -ENOENT: the group does not exist. -EPERM: we may not
 * give it to that group.
 */
int vhost_socket_publish(const char *path, dev_t *dev_ret, ino_t *ino_ret, struct errtext *e);

/**
 * Whether a VMM's socket at 'path' can be there to be connected to. 0, or a negative errno with
 * words. Does not connect: a VMM takes one connection.
 */
int vhost_socket_look(const char *path, struct errtext *e);

// Words for the failed connect() of a client, 'err' > 0.
int vhost_socket_connect_failed(const char *path, int err, struct errtext *e);

// Whether the file at 'path' is (dev, ino).
bool vhost_socket_is(const char *path, dev_t dev, ino_t ino);

/**
 * Moves a file that is not (dev, ino) from 'path' to a name in 'aside', so that nobody
 * removes it by mistake. Returns whether it did; vhost_socket_put_back() undoes it.
 */
bool vhost_socket_set_aside(const char *path, dev_t dev, ino_t ino, char *aside, size_t size);
void vhost_socket_put_back(const char *aside, const char *path);

/**
 * Gives the connections of the socket at 'path' a limit on the time that the library waits
 * for bytes that a peer announced and does not send: it waits with all its sockets, and our
 * main thread may wait for it. Sets '*peer' to who is at the other end of the connection that
 * is not 'known'; pid 0: cannot be told. Returns its fd (the library's), -1: cannot be told.
 * Any thread but a proc.
 */
int vhost_socket_tame(const char *path, int known, struct ucred *peer);

// Whether the peer at the other end of the library's 'fd' has closed it.
bool vhost_socket_hung_up(int fd);
