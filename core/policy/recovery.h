#ifndef RECOVERY_H
#define RECOVERY_H
#include <stdbool.h>
#include <stddef.h>
enum recovery_method { RECOVERY_NONE, RECOVERY_RESTART, RECOVERY_CURSOR, RECOVERY_PREFILL, RECOVERY_CONTINUE, RECOVERY_REPLAY, RECOVERY_METHODS };
enum recovery_policy { RECOVER_AUTO, RECOVER_EXACT, RECOVER_OFF };
struct recovery_facts { enum recovery_policy policy; size_t delivered; bool has_cursor, has_tools, structured, accepts_prefill; unsigned refused; };
static inline const char *recovery_method_name(enum recovery_method m){ static const char *const n[]={"none","restart","cursor","prefill","continue","replay"}; return n[m]; }
static inline enum recovery_method recovery_choose(const struct recovery_facts *f){
 if (f->policy == RECOVER_OFF) return RECOVERY_NONE;
 if (!f->delivered) return RECOVERY_RESTART;

 if (!(f->refused & 1u<<RECOVERY_REPLAY)) return RECOVERY_REPLAY;
 return RECOVERY_NONE; }
#endif
