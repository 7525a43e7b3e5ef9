#include "mount/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step parse_wrong(struct parse *parse, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parse->problem, parse->problem_size, format, arguments);
    va_end(arguments);
    return WRONG;
}

enum step parse_no_memory(struct parse *parse) {
    return parse_wrong(parse, "out of memory");
}

enum step parse_keep_text(struct parse *parse, char **kept, const char *text) {
    char *copy = strdup(text);
    if (!copy) return parse_no_memory(parse);
    free(*kept);
    *kept = copy;
    return GO_ON;
}

void parse_help_line(FILE *out, const char *name, const char *separator, const char *value,
                     const char *help) {
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s", name, value ? separator : "", value ? value : "");
    fprintf(out, "  %-18s  %s\n", left, help);
}
