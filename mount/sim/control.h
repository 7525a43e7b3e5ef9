/*
 * control: what tests say to the simulator and ask of it, under /sim/. Never faulted, never
 * recorded.
 */
#ifndef ASKFS_MOUNT_SIM_CONTROL_H
#define ASKFS_MOUNT_SIM_CONTROL_H

#include "mount/sim/connection.h"

/* Replies to a request whose path begins with /sim/. */
void control_handle(struct connection *connection);

#endif
