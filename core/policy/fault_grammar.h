/*
 * fault_grammar: the words of fault rules: kinds, keys, and how the value of each key is read and
 * written. For fault_rules alone. Pure.
 */
#ifndef ASKFS_CORE_POLICY_FAULT_GRAMMAR_H
#define ASKFS_CORE_POLICY_FAULT_GRAMMAR_H

#include "core/policy/fault_rules.h"

#define FAULT_BIT(key) (1u << (key))
enum { FAULT_BILLION = 1000000000 }; /* a probability of 1 */

/* What a word names. False: nothing, and problem says so, with what was perhaps meant. */
bool fault_grammar_kind(struct slice word, enum fault_kind *kind_out,
                        char problem[FAULT_PROBLEM_SIZE]);
bool fault_grammar_key(struct slice word, enum fault_kind kind, enum fault_key *key_out,
                       char problem[FAULT_PROBLEM_SIZE]);

/* Sets the value of a key in rule. False: the text is none, and rule is as it was. */
bool fault_grammar_read(struct fault_rule *rule, enum fault_key key, struct slice text);
bool fault_grammar_print(const struct fault_rule *rule, enum fault_key key, struct bytes *out);

const char *fault_grammar_key_name(enum fault_key key);
const char *fault_grammar_wanted(enum fault_key key); /* "seconds", for people */
uint32_t fault_grammar_needed(enum fault_kind kind);  /* keys that must be given */

#endif
