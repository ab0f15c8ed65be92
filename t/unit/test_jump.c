/* link: connect/ngx_egress_jump.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "connect/ngx_egress_jump.h"


static uint64_t
key(unsigned n)
{
    char  text[32];

    return ngx_egress_hash64((u_char *) text,
                             snprintf(text, sizeof(text), "user-%u", n));
}


/* the first must not change: clients would leave from elsewhere */

static void
test_known(void)
{
    CHECK(ngx_egress_hash64((u_char *) "", 0) == 0xefd01f60ba992926ULL);
    CHECK(ngx_egress_hash64((u_char *) "a", 1) == 0x82a2a958a9bece5bULL);

    CHECK_INT(ngx_egress_jump(0, 1), 0);
    CHECK_INT(ngx_egress_jump(0, 60), 0);
    CHECK_INT(ngx_egress_jump(1, 60), 55);
    CHECK_INT(ngx_egress_jump(0xdead10cc, 666), 361);
    CHECK_INT(ngx_egress_jump(256, 1024), 520);
}


static void
test_range(void)
{
    unsigned  i, n;

    for (n = 1; n < 300; n += 7) {
        for (i = 0; i < 1000; i++) {
            CHECK(ngx_egress_jump(key(i), n) < n);
        }
    }
}


static void
test_moves(void)
{
    unsigned    i, n, moved;
    ngx_uint_t  before, after;

    for (n = 1; n < 20; n++) {
        moved = 0;

        for (i = 0; i < 5000; i++) {
            before = ngx_egress_jump(key(i), n);
            after = ngx_egress_jump(key(i), n + 1);

            if (before != after) {
                CHECK_INT(after, n);
                moved++;
            }
        }

        /* a share of 1 / (n + 1), give or take a fifth */

        CHECK(moved > 5000 / (n + 1) * 4 / 5);
        CHECK(moved < 5000 / (n + 1) * 6 / 5);
    }
}


static void
test_balance(void)
{
    unsigned  i, count[10];

    memset(count, 0, sizeof(count));

    for (i = 0; i < 10000; i++) {
        count[ngx_egress_jump(key(i), 10)]++;
    }

    for (i = 0; i < 10; i++) {
        CHECK(count[i] > 850 && count[i] < 1150);
    }
}


static unit_test_t  tests[] = {
    { "known keys stay where they are", test_known },
    { "a bucket is always below n", test_range },
    { "a new bucket takes only its share, and only for itself", test_moves },
    { "keys that differ in a digit spread evenly", test_balance }
};


int
main(void)
{
    return UNIT_RUN(tests);
}
