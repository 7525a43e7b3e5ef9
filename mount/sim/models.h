/*
 * models: the list of models. Any other name is answered too.
 */
#ifndef ASKFS_MOUNT_SIM_MODELS_H
#define ASKFS_MOUNT_SIM_MODELS_H

#include "mount/sim/out.h"

void models_write_openai(struct out *out);
void models_write_anthropic(struct out *out);

#endif
