/*
 * kinds: the list of all kinds of virtual files, for the layout.
 */
#ifndef ASKFS_FS_KINDS_KINDS_H
#define ASKFS_FS_KINDS_KINDS_H

#include "fs/kind.h"
#include "fs/layout.h"

extern const struct kind kind_text;      /* text.c: says something, rendered at each open */
extern const struct kind kind_prompt;    /* prompt.c */
extern const struct kind kind_response;  /* response.c */
extern const struct kind kind_reasoning; /* response.c */
extern const struct kind kind_wait;      /* wait.c */
extern const struct kind kind_models;    /* models.c */
extern const struct kind kind_breaker;   /* breaker.c */
extern const struct kind kind_cancel;    /* cancel.c */
extern const struct kind kind_setting;   /* setting.c */
extern const struct kind kind_journal;   /* journal.c */
extern const struct kind kind_faults;    /* faults.c */

extern const struct journal journal_events;
extern const struct journal journal_alerts;

extern const struct setting setting_model;
extern const struct setting setting_system;
extern const struct setting setting_options;

/* texts.c: of the mount, */
extern const struct text text_readme;
extern const struct text text_mount_status;
extern const struct text text_metrics;
extern const struct text text_config;
extern const struct text text_version;
/* of a provider, */
extern const struct text text_last_prompt;
extern const struct text text_provider_status;
extern const struct text text_provider_error;
extern const struct text text_breaker;
extern const struct text text_model;
extern const struct text text_system;
extern const struct text text_options;
extern const struct text text_faults;
/* and of a request. */
extern const struct text text_sent_prompt;
extern const struct text text_request_status;
extern const struct text text_request_error;
extern const struct text text_attempts;
extern const struct text text_body;
extern const struct text text_message;

#endif
