/*
 * report: what the files that tell say, as text. Each appends to out; false: no memory. Keys and
 * order are the contract's (docs/filesystem.md); nothing here holds a secret.
 */
#ifndef ASKFS_CORE_ENGINE_REPORT_H
#define ASKFS_CORE_ENGINE_REPORT_H

#include "core/engine/provider.h"

bool report_mount_status(const struct engine *engine, struct bytes *out);
bool report_metrics(const struct engine *engine, struct bytes *out);
bool report_readme(const struct engine *engine, const char *mountpoint, struct bytes *out);

bool report_provider_status(const struct provider *provider, struct bytes *out);
bool report_provider_breaker(const struct provider *provider, struct bytes *out);
bool report_provider_error(const struct provider *provider, struct bytes *out);

bool report_request_status(const struct request *request, struct bytes *out);
/* The value of user.askfs.recovery: the newest way, then each seam, "prefill prefill@1234". */
bool report_request_recovery(const struct request *request, struct bytes *out);
bool report_request_error(const struct request *request, struct bytes *out);
bool report_request_attempts(const struct request *request, struct bytes *out);
/* The body that was sent, and the finished answer, as JSON with a newline. The message is empty
 * until it ended. */
bool report_request_body(const struct request *request, struct bytes *out);
bool report_request_message(const struct request *request, struct bytes *out);
/* The line of wait, "done 20261124-…-17 stop"; empty until it ended. */
bool report_request_wait(const struct request *request, struct bytes *out);

#endif
