/* What each file that tells says: from the engine's reports, or from what the mount was given. */
#include <stdlib.h>

#include "core/base/text.h"
#include "core/engine/report.h"
#include "core/policy/fault_rules.h"
#include "core/providers/json.h"
#include "fs/kinds/kinds.h"
#include "fs/state.h"

static bool append_line(struct bytes *out, struct slice line) {
    return bytes_append_slice(out, line) && bytes_append_text(out, "\n");
}

// ---- the mount ----

static bool render_readme(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_readme(fs->parts.engine, fs->parts.mountpoint, out);
}

static bool render_mount_status(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_mount_status(fs->parts.engine, out);
}

static bool render_metrics(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_metrics(fs->parts.engine, out);
}

static bool render_config(struct fs *fs, const struct node *node, struct bytes *out) {
    const json_t *shown = fs->parts.config_shown;
    char *json = json_dumps(shown, JSON_INDENT(2) | json_exact(shown));
    if (!json) return false;
    bool done = append_line(out, slice_of(json));
    free(json);
    return done;
}

static bool render_version(struct fs *fs, const struct node *node, struct bytes *out) {
    return append_line(out, text_without_newline(slice_of(fs->parts.version_text))) &&
           bytes_printf(out, "FUSE kernel interface %u.%u\n", fs->kernel_interface[0],
                        fs->kernel_interface[1]);
}

const struct text text_readme = { .render = render_readme };
const struct text text_mount_status = { .render = render_mount_status };
const struct text text_metrics = { .render = render_metrics };
const struct text text_config = { .render = render_config };
const struct text text_version = { .render = render_version };

// ---- a provider ----

static bool render_provider_status(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_provider_status(node->provider, out);
}

static bool render_provider_error(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_provider_error(node->provider, out);
}

static bool render_breaker(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_provider_breaker(node->provider, out);
}

static bool render_last_prompt(struct fs *fs, const struct node *node, struct bytes *out) {
    return bytes_append_slice(out, provider_last_prompt(node->provider));
}

static size_t count_last_prompt(struct fs *fs, const struct node *node) {
    return provider_last_prompt(node->provider).length;
}

static bool render_model(struct fs *fs, const struct node *node, struct bytes *out) {
    return append_line(out, provider_model(node->provider));
}

static bool render_system(struct fs *fs, const struct node *node, struct bytes *out) {
    struct slice system = provider_system(node->provider);
    return system.length == 0 || append_line(out, system);
}

// No options at all are an object too, for whoever reads it with a JSON parser.
static bool render_options(struct fs *fs, const struct node *node, struct bytes *out) {
    struct slice options = provider_options(node->provider);
    return append_line(out, options.length ? options : slice_of("{}"));
}

static bool render_faults(struct fs *fs, const struct node *node, struct bytes *out) {
    const struct fault_rules *rules = provider_faults(node->provider);
    return rules && fault_rules_print(rules, out);
}

const struct text text_provider_status = { .render = render_provider_status };
const struct text text_provider_error = { .render = render_provider_error };
const struct text text_breaker = { .render = render_breaker };
const struct text text_last_prompt = { .render = render_last_prompt, .length = count_last_prompt };
const struct text text_model = { .render = render_model };
const struct text text_system = { .render = render_system };
const struct text text_options = { .render = render_options };
const struct text text_faults = { .render = render_faults };

// ---- a request ----

static bool render_sent_prompt(struct fs *fs, const struct node *node, struct bytes *out) {
    return bytes_append_slice(out, request_prompt(node->request));
}

static size_t count_sent_prompt(struct fs *fs, const struct node *node) {
    return request_prompt(node->request).length;
}

static bool render_request_status(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_request_status(node->request, out);
}

static bool render_request_error(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_request_error(node->request, out);
}

static bool render_attempts(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_request_attempts(node->request, out);
}

static bool render_body(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_request_body(node_request(node), out);
}

// Empty until the request has ended: only `response` and `wait` make a reader wait.
static bool render_message(struct fs *fs, const struct node *node, struct bytes *out) {
    return report_request_message(node_request(node), out);
}

const struct text text_sent_prompt = { .render = render_sent_prompt, .length = count_sent_prompt };
const struct text text_request_status = { .render = render_request_status };
const struct text text_request_error = { .render = render_request_error };
const struct text text_attempts = { .render = render_attempts };
const struct text text_body = { .render = render_body, .needs_request = true };
const struct text text_message = { .render = render_message, .needs_request = true };
