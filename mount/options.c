#include "mount/options.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"
#include "mount/version.h"

enum { FUSE_OPTIONS_MAX = 65536, WORDS_MAX = 64 };

/* A command line being read. */
struct parse {
    struct options *options;
    struct bytes fuse_options;
    bool has_fsname;
    bool has_subtype;
    char *problem;
    size_t problem_size;
};

/* Ends the parse: something was said, or is wrong. */
enum step { GO_ON, SAID, WRONG };

struct option {
    const char *words[2]; /* "-c", "--config"; NULL-ended when shorter */
    const char *value;    /* what it takes, for --help; NULL: nothing */
    enum step (*take)(struct parse *parse, const char *value);
    const char *help;
};

struct mount_option {
    const char *name;
    const char *value; /* what it takes, for --help; NULL: nothing */
    enum step (*take)(struct parse *parse, const char *name, const char *value);
    const char *help; /* NULL: not listed. For refuse: why */
};

static enum step wrong(struct parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum step wrong(struct parse *parse, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parse->problem, parse->problem_size, format, arguments);
    va_end(arguments);
    return WRONG;
}

static enum step no_memory(struct parse *parse) {
    return wrong(parse, "out of memory");
}

static enum step keep_text(struct parse *parse, char **kept, const char *text) {
    char *copy = strdup(text);
    if (!copy) return no_memory(parse);
    free(*kept);
    *kept = copy;
    return GO_ON;
}

// libfuse takes a comma or a backslash in a value when a backslash stands before it.
static enum step pass_on(struct parse *parse, const char *name, const char *value) {
    struct bytes *out = &parse->fuse_options;
    bool fits = (!out->length || bytes_append_text(out, ",")) && bytes_append_text(out, name);
    if (value) fits = fits && bytes_append_text(out, "=");
    for (; fits && value && *value; value++) {
        if (*value == ',' || *value == '\\') fits = bytes_append_text(out, "\\");
        fits = fits && bytes_append(out, value, 1);
    }
    return fits ? GO_ON : no_memory(parse);
}

static enum step take_foreground(struct parse *parse, const char *value) {
    parse->options->foreground = true;
    return GO_ON;
}

static enum step take_debug(struct parse *parse, const char *value) {
    parse->options->foreground = parse->options->debug = true;
    return GO_ON;
}

static enum step take_config(struct parse *parse, const char *value) {
    if (!value[0]) return wrong(parse, "-c needs the name of a file");
    return keep_text(parse, &parse->options->config_file, value);
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

static enum step take_mount_options(struct parse *parse, const char *value);

static const struct option options[] = {
    { { "-f" }, NULL, take_foreground, "stay in the foreground" },
    { { "-d" }, NULL, take_debug, "stay in the foreground, tell what the kernel asks" },
    { { "-c" }, "FILE", take_config, "read this configuration" },
    { { "-o" }, "OPT[,OPT...]", take_mount_options, "mount options, see below" },
    { { "--check" }, NULL, take_check, "read the configuration, say what would be mounted" },
    { { "--version", "-V" }, NULL, take_version, "say the version of askfs and its libraries" },
    { { "--help", "-h" }, NULL, take_help, "say this" },
};
enum { OPTIONS = sizeof(options) / sizeof(*options) };

static enum step drop(struct parse *parse, const char *name, const char *value) {
    return GO_ON;
}

static enum step own_config(struct parse *parse, const char *name, const char *value) {
    if (!value[0]) return wrong(parse, "-o config= needs the name of a file");
    return keep_text(parse, &parse->options->config_file, value);
}

static enum step own_faults(struct parse *parse, const char *name, const char *value) {
    parse->options->faults = true;
    return GO_ON;
}

static enum step own_foreground(struct parse *parse, const char *name, const char *value) {
    return take_foreground(parse, NULL);
}

static enum step own_debug(struct parse *parse, const char *name, const char *value) {
    return take_debug(parse, NULL);
}

static enum step pass_fsname(struct parse *parse, const char *name, const char *value) {
    if (!value[0]) return wrong(parse, "-o fsname= needs a name");
    parse->has_fsname = true;
    return pass_on(parse, name, value);
}

static enum step pass_subtype(struct parse *parse, const char *name, const char *value) {
    if (!value[0]) return wrong(parse, "-o subtype= needs a name");
    parse->has_subtype = true;
    return pass_on(parse, name, value);
}

static enum step pass_number(struct parse *parse, const char *name, const char *value) {
    if (!value[0] || strspn(value, "0123456789") != strlen(value))
        return wrong(parse, "-o %s= needs a number of bytes", name);
    return pass_on(parse, name, value);
}

static enum step refuse(struct parse *parse, const char *name, const char *value);

static const struct mount_option mount_options[] = {
    { "config", "FILE", own_config, "read this configuration, like -c" },
    { "faults", NULL, own_faults, "every provider gets a file faults, to rehearse failures" },
    { "foreground", NULL, own_foreground, "like -f" },
    { "debug", NULL, own_debug, "like -d" },
    { "allow_other", NULL, pass_on, "other users may enter, as far as modes allow" },
    { "allow_root", NULL, pass_on, "root may enter" },
    { "auto_unmount", NULL, pass_on, "a helper unmounts when askfs dies; users: with allow_root" },
    { "fsname", "NAME", pass_fsname, "the source that df shows (SOURCE, else askfs)" },
    { "subtype", "NAME", pass_subtype, "the type that df shows after fuse. (askfs)" },
    { "max_read", "BYTES", pass_number, "the largest read that the kernel asks for" },
    { "noexec", NULL, pass_on, "no program can be started from the mount" },
    // What mount(8) and fstab say to everybody. nosuid, nodev and default_permissions are always
    // on.
    { "rw", NULL, drop, NULL },
    { "suid", NULL, drop, NULL },
    { "nosuid", NULL, drop, NULL },
    { "dev", NULL, drop, NULL },
    { "nodev", NULL, drop, NULL },
    { "exec", NULL, drop, NULL },
    { "default_permissions", NULL, drop, NULL },
    { "defaults", NULL, drop, NULL },
    { "auto", NULL, drop, NULL },
    { "noauto", NULL, drop, NULL },
    { "user", NULL, drop, NULL },
    { "nouser", NULL, drop, NULL },
    { "users", NULL, drop, NULL },
    { "owner", NULL, drop, NULL },
    { "group", NULL, drop, NULL },
    { "nofail", NULL, drop, NULL },
    { "_netdev", NULL, drop, NULL },
    { "async", NULL, drop, NULL },
    { "sync", NULL, drop, NULL },
    { "dirsync", NULL, drop, NULL },
    { "atime", NULL, drop, NULL },
    { "noatime", NULL, drop, NULL },
    { "diratime", NULL, drop, NULL },
    { "nodiratime", NULL, drop, NULL },
    { "relatime", NULL, drop, NULL },
    { "norelatime", NULL, drop, NULL },
    { "strictatime", NULL, drop, NULL },
    { "nostrictatime", NULL, drop, NULL },
    { "lazytime", NULL, drop, NULL },
    { "nolazytime", NULL, drop, NULL },
    { "mand", NULL, drop, NULL },
    { "nomand", NULL, drop, NULL },
    { "iversion", NULL, drop, NULL },
    { "noiversion", NULL, drop, NULL },
    { "silent", NULL, drop, NULL },
    { "loud", NULL, drop, NULL },
    { "nonempty", NULL, drop, NULL },
    // What cannot be meant; the text says what to do instead.
    { "ro", NULL, refuse, "a mount that cannot be written takes no prompt; leave it out" },
    { "remount", NULL, refuse, "unmount with fusermount3 -u, then mount again" },
    { "uid", "N", refuse, "files belong to whoever mounts; run askfs as that user" },
    { "gid", "N", refuse, "files belong to whoever mounts; run askfs as that user" },
    { "umask", "MODE", refuse, "each file has the mode that protects it; leave it out" },
};
enum { MOUNT_OPTIONS = sizeof(mount_options) / sizeof(*mount_options) };

static const struct mount_option *find_mount_option(const char *name) {
    for (size_t i = 0; i < MOUNT_OPTIONS; i++)
        if (strcmp(mount_options[i].name, name) == 0) return &mount_options[i];
    return NULL;
}

static enum step refuse(struct parse *parse, const char *name, const char *value) {
    return wrong(parse, "-o %s: %s", name, find_mount_option(name)->help);
}

static enum step unknown_mount_option(struct parse *parse, const char *name) {
    const char *names[MOUNT_OPTIONS + 1];
    for (size_t i = 0; i < MOUNT_OPTIONS; i++)
        names[i] = mount_options[i].name;
    names[MOUNT_OPTIONS] = NULL;
    const char *near = config_suggest(name, names);
    if (near) return wrong(parse, "-o %s: unknown option; did you mean \"%s\"?", name, near);
    return wrong(parse, "-o %s: unknown option; askfs --help lists them", name);
}

// For other programs that read fstab: systemd, mount itself, desktop tools.
static bool is_for_others(const char *name) {
    return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 ||
           strcmp(name, "comment") == 0 || strcmp(name, "uhelper") == 0;
}

/* word is "name" or "name=value", and is cut in two. */
static enum step take_mount_option(struct parse *parse, char *word) {
    char *value = strchr(word, '=');
    if (value) *value++ = '\0';
    if (!word[0] && !value) return GO_ON;
    if (is_for_others(word)) return GO_ON;
    const struct mount_option *option = find_mount_option(word);
    if (!option) return unknown_mount_option(parse, word);
    if (option->take == refuse) return refuse(parse, word, value);
    if (option->value && !value)
        return wrong(parse, "-o %s: expected %s=%s", word, word, option->value);
    // "user=NAME" is what mount puts into its table.
    if (!option->value && value && option->take != drop)
        return wrong(parse, "-o %s: takes no value", word);
    return option->take(parse, word, option->value ? value : NULL);
}

// Words are split at commas; a backslash takes the next character as it is.
static enum step take_mount_options(struct parse *parse, const char *value) {
    enum step step = GO_ON;
    char *word = malloc(strlen(value) + 1);
    if (!word) return no_memory(parse);
    while (step == GO_ON && *value) {
        size_t length = 0;
        for (; *value && *value != ','; value++) {
            if (*value == '\\' && value[1]) value++;
            word[length++] = *value;
        }
        word[length] = '\0';
        if (*value == ',') value++;
        step = take_mount_option(parse, word);
    }
    free(word);
    return step;
}

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
    if (near) return wrong(parse, "%s: unknown option; did you mean \"%s\"?", word, near);
    return wrong(parse, "%s: unknown option; askfs --help lists them", word);
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
            return wrong(parse, "%s needs %s; see askfs --help", flag, option->value);
        if (option->value) return option->take(parse, arguments[++*index]);
        enum step step = option->take(parse, NULL);
        if (step != GO_ON) return step;
    }
    return GO_ON;
}

static enum step take_place(struct parse *parse, const char *word) {
    struct options *options_out = parse->options;
    if (!options_out->mountpoint) return keep_text(parse, &options_out->mountpoint, word);
    if (options_out->source)
        return wrong(parse, "%s: too many arguments; askfs --help shows what is expected", word);
    options_out->source = options_out->mountpoint; // it was not the last one after all
    options_out->mountpoint = NULL;
    return keep_text(parse, &options_out->mountpoint, word);
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
        return wrong(parse, "no MOUNTPOINT: name a directory, such as askfs ~/ask");
    const char *source =
        options_out->source && options_out->source[0] ? options_out->source : "askfs";
    enum step step = GO_ON;
    if (!parse->has_fsname) step = pass_on(parse, "fsname", source);
    if (step == GO_ON && !parse->has_subtype) step = pass_on(parse, "subtype", "askfs");
    if (step == GO_ON && options_out->debug) step = pass_on(parse, "debug", NULL);
    if (step == GO_ON) step = pass_on(parse, "nosuid,nodev,default_permissions", NULL);
    if (step != GO_ON) return step;
    options_out->fuse_options = bytes_take(&parse->fuse_options);
    return options_out->fuse_options ? GO_ON : no_memory(parse);
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

static void help_line(FILE *out, const char *name, const char *separator, const char *value,
                      const char *help) {
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s", name, value ? separator : "", value ? value : "");
    fprintf(out, "  %-18s  %s\n", left, help);
}

void options_help(FILE *out) {
    fputs("usage: askfs [-f] [-d] [-c FILE] [-o OPT[,OPT...]] [SOURCE] MOUNTPOINT\n"
          "\n"
          "Mounts language models as files. Unmount with fusermount3 -u MOUNTPOINT.\n"
          "\n",
          out);
    for (size_t i = 0; i < OPTIONS; i++)
        help_line(out, options[i].words[0], " ", options[i].value, options[i].help);
    fputs("\nmount options:\n", out);
    for (size_t i = 0; i < MOUNT_OPTIONS; i++)
        if (mount_options[i].help && mount_options[i].take != refuse)
            help_line(out, mount_options[i].name, "=", mount_options[i].value,
                      mount_options[i].help);
    fputs("\n"
          "The configuration is the first of -c FILE, $ASKFS_CONFIG,\n"
          "$XDG_CONFIG_HOME/askfs/config.json (~/.config/askfs/config.json) and\n"
          "/etc/askfs/config.json. Without any: a provider for each key in the environment\n"
          "(OPENAI_API_KEY, ANTHROPIC_API_KEY, XAI_API_KEY), and the simulator as sim.\n",
          out);
}
