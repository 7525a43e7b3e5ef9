#include "mount/options.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"
#include "mount/mount_options.h"
#include "mount/version.h"

enum { FUSE_OPTIONS_MAX = 65536 };

struct option {
    const char *words[2]; /* "-c", "--config"; NULL-ended when shorter */
    const char *value;    /* what it takes, for --help; NULL: nothing */
    enum step (*take)(struct parse *parse, const char *value);
    const char *help;
};

static enum step take_foreground(struct parse *parse, const char *value) {
    parse->options->foreground = true;
    return GO_ON;
}

static enum step take_debug(struct parse *parse, const char *value) {
    parse->options->foreground = parse->options->debug = true;
    return GO_ON;
}

static enum step take_config(struct parse *parse, const char *value) {
    if (!value[0]) return parse_wrong(parse, "-c needs the name of a file");
    return parse_keep_text(parse, &parse->options->config_file, value);
}

static enum step take_check(struct parse *parse, const char *value) {
    parse->options->check = true;
    return GO_ON;
}

static enum step take_version(struct parse *parse, const char *value) {
    char text[512];
    version_text(text, sizeof(text));
    fputs(text, stdout);
    return SAID;
}

static enum step take_help(struct parse *parse, const char *value) {
    options_help(stdout);
    return SAID;
}

static const struct option options[] = {
    { { "-f" }, NULL, take_foreground, "stay in the foreground" },
    { { "-d" }, NULL, take_debug, "stay in the foreground, tell what the kernel asks" },
    { { "-c" }, "FILE", take_config, "read this configuration" },
    { { "-o" }, "OPT[,OPT...]", mount_options_take, "mount options, see below" },
    { { "--check" }, NULL, take_check, "read the configuration, say what would be mounted" },
    { { "--version", "-V" }, NULL, take_version, "say the version of askfs and its libraries" },
    { { "--help", "-h" }, NULL, take_help, "say this" },
};
enum { OPTIONS = sizeof(options) / sizeof(*options) };

static const struct option *find_option(const char *word, size_t length) {
    for (size_t i = 0; i < OPTIONS; i++)
        for (size_t j = 0; j < 2 && options[i].words[j]; j++)
            if (strlen(options[i].words[j]) == length &&
                strncmp(options[i].words[j], word, length) == 0)
                return &options[i];
    return NULL;
}

static enum step unknown_option(struct parse *parse, const char *word) {
    const char *words[2 * OPTIONS + 1];
    size_t count = 0;
    for (size_t i = 0; i < OPTIONS; i++)
        for (size_t j = 0; j < 2 && options[i].words[j]; j++)
            if (options[i].words[j][1] == '-') words[count++] = options[i].words[j];
    words[count] = NULL;
    const char *near = word[1] == '-' ? config_suggest(word, words) : NULL;
    if (near) return parse_wrong(parse, "%s: unknown option; did you mean \"%s\"?", word, near);
    return parse_wrong(parse, "%s: unknown option; askfs --help lists them", word);
}

/* arguments[*index] begins with "-". Takes its value from itself or from the next argument. */
static enum step take_option(struct parse *parse, int count, char **arguments, int *index) {
    const char *word = arguments[*index];
    if (word[1] == '-') {
        const struct option *option = find_option(word, strlen(word));
        return option ? option->take(parse, NULL) : unknown_option(parse, word);
    }
    for (const char *letter = word + 1; *letter; letter++) {
        const char flag[] = { '-', *letter, '\0' };
        const struct option *option = find_option(flag, 2);
        if (!option) return unknown_option(parse, flag);
        if (option->value && letter[1]) return option->take(parse, letter + 1);
        if (option->value && *index + 1 == count)
            return parse_wrong(parse, "%s needs %s; see askfs --help", flag, option->value);
        if (option->value) return option->take(parse, arguments[++*index]);
        enum step step = option->take(parse, NULL);
        if (step != GO_ON) return step;
    }
    return GO_ON;
}

static enum step take_place(struct parse *parse, const char *word) {
    struct options *options_out = parse->options;
    if (!options_out->mountpoint) return parse_keep_text(parse, &options_out->mountpoint, word);
    if (options_out->source)
        return parse_wrong(parse, "%s: too many arguments; askfs --help shows what is expected",
                           word);
    options_out->source = options_out->mountpoint; // it was not the last one after all
    options_out->mountpoint = NULL;
    return parse_keep_text(parse, &options_out->mountpoint, word);
}

static enum step take_all(struct parse *parse, int count, char **arguments) {
    enum step step = GO_ON;
    bool is_end = false;
    for (int i = 1; step == GO_ON && i < count; i++) {
        if (!is_end && strcmp(arguments[i], "--") == 0)
            is_end = true;
        else if (!is_end && arguments[i][0] == '-' && arguments[i][1])
            step = take_option(parse, count, arguments, &i);
        else
            step = take_place(parse, arguments[i]);
    }
    return step;
}

static enum step complete(struct parse *parse) {
    struct options *options_out = parse->options;
    if (!options_out->check && (!options_out->mountpoint || !options_out->mountpoint[0]))
        return parse_wrong(parse, "no MOUNTPOINT: name a directory, such as askfs ~/ask");
    return mount_options_complete(parse);
}

enum options_verdict options_parse(struct options *options_out, int argc, char **argv,
                                   char *problem, size_t problem_size) {
    struct parse parse = { .options = options_out,
                           .problem = problem,
                           .problem_size = problem_size };
    *options_out = (struct options){ 0 };
    bytes_init(&parse.fuse_options, FUSE_OPTIONS_MAX);
    enum step step = take_all(&parse, argc, argv);
    if (step == GO_ON) step = complete(&parse);
    bytes_finish(&parse.fuse_options);
    return step == GO_ON ? OPTIONS_RUN : step == SAID ? OPTIONS_DONE : OPTIONS_BAD;
}

void options_finish(struct options *options_out) {
    free(options_out->config_file);
    free(options_out->source);
    free(options_out->mountpoint);
    free(options_out->fuse_options);
    *options_out = (struct options){ 0 };
}

void options_help(FILE *out) {
    fputs("usage: askfs [-f] [-d] [-c FILE] [-o OPT[,OPT...]] [SOURCE] MOUNTPOINT\n"
          "\n"
          "Mounts language models as files. Unmount with fusermount3 -u MOUNTPOINT.\n"
          "\n",
          out);
    for (size_t i = 0; i < OPTIONS; i++)
        parse_help_line(out, options[i].words[0], " ", options[i].value, options[i].help);
    fputs("\nmount options:\n", out);
    mount_options_help(out);
    fputs("\n"
          "The configuration is the first of -c FILE, $ASKFS_CONFIG,\n"
          "$XDG_CONFIG_HOME/askfs/config.json (~/.config/askfs/config.json) and\n"
          "/etc/askfs/config.json. Without any: a provider for each key in the environment\n"
          "(OPENAI_API_KEY, ANTHROPIC_API_KEY, XAI_API_KEY), and the simulator as sim.\n",
          out);
}
