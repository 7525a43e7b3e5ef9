#include "fs/xattr.h"

#include <string.h>

#include "core/engine/report.h"
#include "fs/errors.h"

static const char recovery_name[] = "user.askfs.recovery";

// Tools ask a file system that has no attributes of a kind once, not for each file.
bool xattr_is_known(const char *name, int *error_out) {
    if (strcmp(name, recovery_name) == 0) return true;
    *error_out = strncmp(name, "user.", 5) == 0 ? ERROR_NO_ATTRIBUTE : ERROR_NO_ATTRIBUTES;
    return false;
}

// NULL: no answer, or none yet.
static const struct request *answer_of(const struct node *node) {
    return node->entry->has_recovery ? node_request(node) : NULL;
}

int xattr_get(const struct node *node, struct bytes *out) {
    const struct request *request = answer_of(node);
    if (!request) return ERROR_NO_ATTRIBUTE;
    return report_request_recovery(request, out) ? 0 : ERROR_NO_MEMORY;
}

int xattr_list(const struct node *node, struct bytes *out) {
    if (!answer_of(node)) return 0;
    return bytes_append(out, recovery_name, sizeof(recovery_name)) ? 0 : ERROR_NO_MEMORY;
}
