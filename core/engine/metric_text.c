#include "core/engine/metric_text.h"

#include <stdarg.h>

struct metric_family metric_family(struct bytes *out, const char *name, const char *type,
                                   const char *help) {
    struct metric_family family = { out, name, true };
    family.ok = bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    return family;
}

static void append_label_value(struct metric_family *family, const char *value) {
    for (; *value && family->ok; value++) {
        if (*value == '\\' || *value == '"') family->ok = bytes_append_text(family->out, "\\");
        if (*value == '\n')
            family->ok = family->ok && bytes_append_text(family->out, "\\n");
        else
            family->ok = family->ok && bytes_append(family->out, value, 1);
    }
}

void metric_sample(struct metric_family *family, const char *suffix, double value, ...) {
    if (!family->ok) return;
    family->ok = bytes_printf(family->out, "%s%s", family->name, suffix);
    va_list labels;
    va_start(labels, value);
    const char *open = "{";
    for (const char *label; family->ok && (label = va_arg(labels, const char *)); open = ",") {
        family->ok = bytes_printf(family->out, "%s%s=\"", open, label);
        append_label_value(family, va_arg(labels, const char *));
        family->ok = family->ok && bytes_append_text(family->out, "\"");
    }
    va_end(labels);
    if (open[0] == ',') family->ok = family->ok && bytes_append_text(family->out, "}");
    family->ok = family->ok && bytes_printf(family->out, " %.17g\n", value);
}
