/*
 * simulator: askfs-sim as a child process of the mount, for providers of type sim.
 */
#ifndef ASKFS_MOUNT_SIMULATOR_H
#define ASKFS_MOUNT_SIMULATOR_H

#include <stdbool.h>
#include <sys/types.h>

struct simulator {
    pid_t pid;     /* 0: not started */
    int lifeline;  /* its standard input; when it closes, the simulator ends */
    char url[64];  /* "http://127.0.0.1:PORT/v1" */
};

/* Starts askfs-sim, found beside this program or on PATH, and waits until it listens. False: problem
 * says why, for people. */
bool simulator_start(struct simulator *simulator, char *problem, size_t problem_size);
void simulator_stop(struct simulator *simulator); /* accepts one that was not started */

#endif
