#include "mount/reload.h"

#include <stdio.h>

#include "core/events/event_kinds.h"

// In the other thread: only what is its own meanwhile.
static void load(void *owner) {
    struct reload *reload = owner;
    reload->error.text[0] = '\0';
    reload->loaded = setup_load(reload->config_file, reload->setup, &reload->error);
    bool lacks_simulator =
        reload->loaded && setup_needs_simulator(reload->loaded) && !reload->started.pid;
    if (!lacks_simulator) return;
    if (simulator_start(&reload->started, reload->error.text, sizeof(reload->error.text))) return;
    setup_release(reload->loaded);
    reload->loaded = NULL;
}

static void refuse(struct reload *reload) {
    fprintf(stderr, "askfs: the configuration stays as it was: %s\n", reload->error.text);
    event_config_refused(engine_events(reload->engine), reload->clock->wall_ns,
                         reload->setup->config->file, reload->error.text);
}

static void take(struct reload *reload) {
    struct setup *loaded = reload->loaded;
    reload->loaded = NULL;
    *reload->simulator = reload->started;
    if (!setup_apply(loaded, reload->engine, reload->simulator->url) ||
        !fs_show_config(reload->fs, loaded->config->shown)) {
        snprintf(reload->error.text, sizeof(reload->error.text), "out of memory");
        setup_release(loaded);
        refuse(reload);
        return;
    }
    keys_lock(loaded->keys);
    setup_release(reload->setup);
    reload->setup = loaded;
    event_config_loaded(engine_events(reload->engine), reload->clock->wall_ns, loaded->config->file,
                        loaded->config->provider_count);
}

static void loaded(void *owner) {
    struct reload *reload = owner;
    reload->is_running = false;
    if (reload->is_over) {
        setup_release(reload->loaded);
        setup_release(reload->setup);
        if (!reload->simulator->pid) simulator_stop(&reload->started);
        return;
    }
    if (reload->loaded)
        take(reload);
    else
        refuse(reload);
    if (reload->is_wanted) reload_start(reload);
}

void reload_start(struct reload *reload) {
    reload->is_wanted = reload->is_running;
    if (reload->is_running || reload->is_over) return;
    reload->started = *reload->simulator;
    reload->is_running = loop_work(reload->loop, load, loaded, reload);
    if (reload->is_running) return;
    snprintf(reload->error.text, sizeof(reload->error.text), "out of memory");
    refuse(reload);
}

void reload_stop(struct reload *reload) {
    reload->is_over = true;
    if (!reload->is_running) setup_release(reload->setup);
    if (!reload->is_running) reload->setup = NULL;
}
