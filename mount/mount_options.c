#include "mount/mount_options.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"

struct mount_option {
    const char *name;
    const char *value; /* what it takes, for --help; NULL: nothing */
    enum step (*take)(struct parse *parse, const char *name, const char *value);
    const char *help; /* NULL: not listed. For refuse: why */
};

// libfuse takes a comma or a backslash in a value when a backslash stands before it.
static enum step pass_on(struct parse *parse, const char *name, const char *value) {
    struct bytes *out = &parse->fuse_options;
    bool fits = (!out->length || bytes_append_text(out, ",")) && bytes_append_text(out, name);
    if (value) fits = fits && bytes_append_text(out, "=");
    for (; fits && value && *value; value++) {
        if (*value == ',' || *value == '\\') fits = bytes_append_text(out, "\\");
        fits = fits && bytes_append(out, value, 1);
    }
    return fits ? GO_ON : parse_no_memory(parse);
}

static enum step drop(struct parse *parse, const char *name, const char *value) {
    return GO_ON;
}

static enum step own_config(struct parse *parse, const char *name, const char *value) {
    if (!value[0]) return parse_wrong(parse, "-o config= needs the name of a file");
    return parse_keep_text(parse, &parse->options->config_file, value);
}

static enum step own_faults(struct parse *parse, const char *name, const char *value) {
    parse->options->faults = true;
    return GO_ON;
}

static enum step own_foreground(struct parse *parse, const char *name, const char *value) {
    parse->options->foreground = true;
    return GO_ON;
}

static enum step own_debug(struct parse *parse, const char *name, const char *value) {
    parse->options->foreground = parse->options->debug = true;
    return GO_ON;
}

static enum step pass_fsname(struct parse *parse, const char *name, const char *value) {
    if (!value[0]) return parse_wrong(parse, "-o fsname= needs a name");
    parse->has_fsname = true;
    return pass_on(parse, name, value);
}

static enum step pass_subtype(struct parse *parse, const char *name, const char *value) {
    if (!value[0]) return parse_wrong(parse, "-o subtype= needs a name");
    parse->has_subtype = true;
    return pass_on(parse, name, value);
}

static enum step pass_number(struct parse *parse, const char *name, const char *value) {
    if (!value[0] || strspn(value, "0123456789") != strlen(value))
        return parse_wrong(parse, "-o %s= needs a number of bytes", name);
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
    return parse_wrong(parse, "-o %s: %s", name, find_mount_option(name)->help);
}

static enum step unknown_mount_option(struct parse *parse, const char *name) {
    const char *names[MOUNT_OPTIONS + 1];
    for (size_t i = 0; i < MOUNT_OPTIONS; i++)
        names[i] = mount_options[i].name;
    names[MOUNT_OPTIONS] = NULL;
    const char *near = config_suggest(name, names);
    if (near) return parse_wrong(parse, "-o %s: unknown option; did you mean \"%s\"?", name, near);
    return parse_wrong(parse, "-o %s: unknown option; askfs --help lists them", name);
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
        return parse_wrong(parse, "-o %s: expected %s=%s", word, word, option->value);
    // "user=NAME" is what mount puts into its table.
    if (!option->value && value && option->take != drop)
        return parse_wrong(parse, "-o %s: takes no value", word);
    return option->take(parse, word, option->value ? value : NULL);
}

// Words are split at commas; a backslash takes the next character as it is.
enum step mount_options_take(struct parse *parse, const char *text) {
    enum step step = GO_ON;
    char *word = malloc(strlen(text) + 1);
    if (!word) return parse_no_memory(parse);
    while (step == GO_ON && *text) {
        size_t length = 0;
        for (; *text && *text != ','; text++) {
            if (*text == '\\' && text[1]) text++;
            word[length++] = *text;
        }
        word[length] = '\0';
        if (*text == ',') text++;
        step = take_mount_option(parse, word);
    }
    free(word);
    return step;
}

enum step mount_options_complete(struct parse *parse) {
    struct options *options = parse->options;
    const char *source = options->source && options->source[0] ? options->source : "askfs";
    enum step step = GO_ON;
    if (!parse->has_fsname) step = pass_on(parse, "fsname", source);
    if (step == GO_ON && !parse->has_subtype) step = pass_on(parse, "subtype", "askfs");
    if (step == GO_ON && options->debug) step = pass_on(parse, "debug", NULL);
    if (step == GO_ON) step = pass_on(parse, "nosuid,nodev,default_permissions", NULL);
    if (step != GO_ON) return step;
    options->fuse_options = bytes_take(&parse->fuse_options);
    return options->fuse_options ? GO_ON : parse_no_memory(parse);
}

void mount_options_help(FILE *out) {
    for (size_t i = 0; i < MOUNT_OPTIONS; i++)
        if (mount_options[i].help && mount_options[i].take != refuse)
            parse_help_line(out, mount_options[i].name, "=", mount_options[i].value,
                            mount_options[i].help);
}
