#include "core/engine/report_text.h"

#include "core/base/time.h"

bool report_text(struct bytes *out, const char *key, const char *value) {
    return bytes_printf(out, "%s: %s\n", key, value[0] ? value : "-");
}

bool report_count(struct bytes *out, const char *key, int64_t value) {
    if (value < 0) return report_text(out, key, "");
    return bytes_printf(out, "%s: %lld\n", key, (long long)value);
}

bool report_seconds(struct bytes *out, const char *key, int64_t duration_ns) {
    if (duration_ns == TIME_NEVER) return report_text(out, key, "");
    if (duration_ns == 0) return bytes_printf(out, "%s: 0\n", key);
    return bytes_printf(out, "%s: %.3f\n", key, time_to_seconds(duration_ns));
}

bool report_ms(struct bytes *out, const char *key, double ms) {
    if (ms < 0) return report_text(out, key, "");
    return bytes_printf(out, "%s: %.3f\n", key, ms);
}

bool report_number(struct bytes *out, const char *key, double value) {
    if (value < 0) return report_text(out, key, "");
    return bytes_printf(out, "%s: %.6f\n", key, value);
}

bool report_time(struct bytes *out, const char *key, int64_t wall_ns) {
    if (wall_ns < 0) return report_text(out, key, "");
    char text[TIME_TEXT_SIZE];
    time_text(wall_ns, text);
    return report_text(out, key, text);
}

// When the provider named a time that we did not wait for.
static bool line_come_back(struct bytes *out, const struct failure *failure, int64_t wall_ns) {
    if (failure->retry_after_ns < 0) return true;
    return report_seconds(out, "retry_after_s", failure->retry_after_ns) &&
           report_time(out, "come_back_at", time_after(wall_ns, failure->retry_after_ns));
}

bool report_failure(struct bytes *out, const struct failure *failure, const char *request_id,
                    int attempts, int64_t wall_ns, const struct retry_policy *policy) {
    return report_text(out, "error", failure_class_name(failure->class)) &&
           report_count(out, "http_status", failure->http_status ? failure->http_status : -1) &&
           report_text(out, "message", failure->message) &&
           report_text(out, "type", failure->type) && report_text(out, "code", failure->code) &&
           report_text(out, "provider_request_id", failure->provider_request_id) &&
           report_text(out, "request", request_id) &&
           bytes_printf(out, "attempts: %d of %d\n", attempts, policy->max_attempts) &&
           report_time(out, "at", wall_ns) && line_come_back(out, failure, wall_ns) &&
           report_text(out, "what_to_do", failure_advice(failure));
}
