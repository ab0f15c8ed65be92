
/*
 * Copyright (C) ngx_egress authors
 *
 * The smallest harness that prove understands: a test is a function, a
 * program is a table of them, each prints one TAP line.  A failed CHECK says
 * where and fails its test; the test goes on.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    const char  *name;                /* the behaviour */
    void       (*run)(void);
} unit_test_t;


#define CHECK(expr)                                                           \
    unit_check((expr) != 0, #expr, __FILE__, __LINE__)

/* integers; both are shown */
#define CHECK_INT(got, want)                                                  \
    unit_int((long long) (got), (long long) (want), #got, __FILE__, __LINE__)

/* an ngx_str_t against a C string */
#define CHECK_STR(got, want)                                                  \
    unit_mem((got).data, (got).len, want, strlen(want), #got, __FILE__,       \
             __LINE__)

/* bytes against bytes */
#define CHECK_MEM(got, got_len, want, want_len)                               \
    unit_mem(got, got_len, want, want_len, #got, __FILE__, __LINE__)

#define UNIT_RUN(tests)                                                       \
    unit_run(tests, sizeof(tests) / sizeof(tests[0]))

#define unit_unused  __attribute__((unused))


static unsigned  unit_failures;       /* of the running test */


static unit_unused void
unit_check(int ok, const char *what, const char *file, int line)
{
    if (!ok) {
        unit_failures++;
        printf("# %s:%d: %s\n", file, line, what);
    }
}


static unit_unused void
unit_int(long long got, long long want, const char *what, const char *file,
    int line)
{
    if (got != want) {
        unit_failures++;
        printf("# %s:%d: %s is %lld, not %lld\n", file, line, what, got, want);
    }
}


static unit_unused void
unit_dump(const char *name, const void *data, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = data;
    printf("#   %s (%lu) \"", name, (unsigned long) len);

    for (i = 0; i < len; i++) {
        if (p[i] >= ' ' && p[i] < 0x7f) {
            putchar(p[i]);

        } else {
            printf("\\x%02x", p[i]);
        }
    }

    printf("\"\n");
}


static unit_unused void
unit_mem(const void *got, size_t got_len, const void *want, size_t want_len,
    const char *what, const char *file, int line)
{
    if (got_len != want_len
        || (want_len && memcmp(got, want, want_len) != 0))
    {
        unit_failures++;
        printf("# %s:%d: %s differs\n", file, line, what);
        unit_dump("got ", got, got_len);
        unit_dump("want", want, want_len);
    }
}


static unit_unused int
unit_run(unit_test_t *tests, size_t n)
{
    size_t    i;
    unsigned  failed;

    failed = 0;
    printf("1..%lu\n", (unsigned long) n);

    for (i = 0; i < n; i++) {
        unit_failures = 0;
        tests[i].run();
        printf("%sok %lu - %s\n", unit_failures ? "not " : "",
               (unsigned long) (i + 1), tests[i].name);
        failed += (unit_failures != 0);
        fflush(stdout);
    }

    if (failed) {
        printf("# %u of %lu failed\n", failed, (unsigned long) n);
    }

    return failed != 0;
}


#endif /* _UNIT_H_INCLUDED_ */
