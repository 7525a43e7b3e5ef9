/* same_json: is a JSON value what was expected? */
#ifndef ASKFS_TESTS_UNIT_SAME_JSON_H
#define ASKFS_TESTS_UNIT_SAME_JSON_H

#include <jansson.h>
#include <stdlib.h>

/* Takes found. */
static inline void assert_same_json(json_t *found, const char *expected) {
    json_t *want = json_loads(expected, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(want);
    if (!json_equal(found, want)) {
        char *text = json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
        print_error("%s\n", text);
        free(text);
    }
    assert_true(json_equal(found, want));
    json_decref(found);
    json_decref(want);
}

#endif
