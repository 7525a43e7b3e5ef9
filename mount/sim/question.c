#include "mount/sim/question.h"

#include <stdlib.h>
#include <string.h>

#include "mount/sim/wire.h"

enum { JOINED_MAX = 128 << 20 };

static bool no_memory(struct problem *problem) {
    return problem_set(problem, 500, NULL, "askfs-sim has no memory for this");
}

// ---- texts ----

static struct slice slice_of_json(const json_t *string) {
    return (struct slice){ json_string_value(string), json_string_length(string) };
}

// "text", "input_text" and "output_text" parts have it; pictures and the like have none.
static struct slice part_text(const json_t *part) {
    if (json_is_string(part)) return slice_of_json(part);
    return slice_of_json(json_object_get(part, "text"));
}

// Room for all parts was made before, so that slices into joined stay where they are.
static struct slice join_parts(struct question *question, const json_t *parts) {
    size_t i;
    const json_t *part;
    size_t from = question->joined.length;
    json_array_foreach(parts, i, part) {
        bytes_append_slice(&question->joined, part_text(part));
    }
    if (question->joined.length == from) return (struct slice){ "", 0 };
    return (struct slice){ question->joined.data + from, question->joined.length - from };
}

static struct slice content_text(struct question *question, const json_t *content) {
    if (json_is_string(content)) return slice_of_json(content);
    return join_parts(question, content);
}

// ---- turns ----

static bool is_system(const char *role) {
    return strcmp(role, "system") == 0 || strcmp(role, "developer") == 0;
}

static bool add_turn(struct question *question, const json_t *item, struct problem *problem) {
    const char *type = json_string_value(json_object_get(item, "type"));
    const char *role = json_string_value(json_object_get(item, "role"));
    if (!role && type && strcmp(type, "message") != 0) return true; // calls and their results
    if (!role) return problem_set(problem, 400, NULL, "a message has no role");
    struct slice text = content_text(question, json_object_get(item, "content"));
    if (is_system(role)) {
        question->system = text;
        return true;
    }
    bool by_assistant = strcmp(role, "assistant") == 0;
    if (!by_assistant && strcmp(role, "user") != 0 && strcmp(role, "tool") != 0)
        return problem_set(problem, 400, "invalid_value",
                           "Invalid value: '%.64s'. Supported values are: 'system', 'developer', "
                           "'assistant', 'user', and 'tool'.",
                           role);
    question->turns[question->turn_count++] = (struct turn){ by_assistant, text };
    return true;
}

static bool read_turns(struct question *question, struct problem *problem) {
    const json_t *list = json_object_get(question->body, question->wire->turns_key);
    size_t i;
    const json_t *item;
    question->turns = calloc(json_array_size(list) + 1, sizeof(*question->turns));
    if (!question->turns) return no_memory(problem);
    if (json_is_string(list)) {
        question->turns[question->turn_count++] = (struct turn){ false, slice_of_json(list) };
        return true;
    }
    if (json_array_size(list) == 0)
        return problem_set(problem, 400, "missing_required_parameter",
                           "Missing required parameter: '%s'.", question->wire->turns_key);
    json_array_foreach(list, i, item) {
        if (!add_turn(question, item, problem)) return false;
    }
    return true;
}

// ---- all of it ----

static bool parse(struct question *question, struct slice body, struct problem *problem) {
    json_error_t error;
    question->body = json_loadb(body.data ? body.data : "", body.length, 0, &error);
    if (!question->body)
        return problem_set(problem, 400, NULL,
                           "The JSON body of the request could not be parsed: "
                           "%s (line %d)",
                           error.text, error.line);
    if (!json_is_object(question->body))
        return problem_set(problem, 400, NULL, "The body must be a JSON object.");
    return true;
}

static bool read_options(struct question *question, const char *header, struct problem *problem) {
    char text[OPTIONS_PROBLEM_SIZE];
    const json_t *member = json_object_get(question->body, "sim");
    options_init(&question->options);
    if (member && !options_read(&question->options, member, text))
        return problem_set(problem, 400, NULL, "%s", text);
    if (!header) return true;
    question->options_body = json_loads(header, 0, NULL);
    if (!options_read(&question->options, question->options_body, text))
        return problem_set(problem, 400, NULL, "x-sim: %s", text);
    return true;
}

static bool read_plain(struct question *question, struct problem *problem) {
    const json_t *body = question->body;
    const json_t *stream_options = json_object_get(body, "stream_options");
    question->model = json_string_value(json_object_get(body, "model"));
    if (!question->model || !*question->model)
        return problem_set(problem, 400, NULL, "you must provide a model parameter");
    if (question->wire->needs_max_tokens && !json_object_get(body, "max_tokens"))
        return problem_set(problem, 400, NULL, "max_tokens: Field required");
    question->stream = json_is_true(json_object_get(body, "stream"));
    question->background = json_is_true(json_object_get(body, "background"));
    question->wants_usage = json_is_true(json_object_get(stream_options, "include_usage"));
    return true;
}

bool question_read(struct question *question, const struct wire *wire, struct slice body,
                   const char *options_text, struct problem *problem) {
    *question = (struct question){ .wire = wire };
    bytes_init(&question->joined, JOINED_MAX);
    if (!parse(question, body, problem) || !read_plain(question, problem) ||
        !read_options(question, options_text, problem))
        return false;
    if (!bytes_reserve(&question->joined, body.length)) return no_memory(problem);
    if (wire->system_key)
        question->system =
            content_text(question, json_object_get(question->body, wire->system_key));
    return read_turns(question, problem);
}

void question_finish(struct question *question) {
    json_decref(question->body);
    json_decref(question->options_body);
    free(question->turns);
    bytes_finish(&question->joined);
    *question = (struct question){ 0 };
}

struct slice question_prompt(const struct question *question, size_t count) {
    for (size_t i = count; i-- > 0;)
        if (!question->turns[i].by_assistant) return question->turns[i].text;
    return (struct slice){ "", 0 };
}
