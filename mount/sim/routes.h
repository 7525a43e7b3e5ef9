/*
 * routes: which path and method gets which reply.
 */
#ifndef ASKFS_MOUNT_SIM_ROUTES_H
#define ASKFS_MOUNT_SIM_ROUTES_H

#include "mount/sim/connection.h"

/* Replies, now or in time, to the request that the connection has read. */
void routes_handle(struct connection *connection);

#endif
