/* link: proto/ngx_egress_uuid.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_uuid.h"


static void
test_layout(void)
{
    u_char  id[NGX_EGRESS_UUID_LEN], text[NGX_EGRESS_UUID_TEXT_LEN];
    u_char  random[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

    ngx_egress_uuid7(id, 0x017f22e279b0, random);

    CHECK(ngx_egress_uuid_print(text, id) == text + sizeof(text));
    CHECK_MEM(text, sizeof(text),
              "017f22e2-79b0-7fff-bfff-ffffffffffff", 36);
}


static void
test_zero(void)
{
    u_char  id[NGX_EGRESS_UUID_LEN], text[NGX_EGRESS_UUID_TEXT_LEN];
    u_char  random[NGX_EGRESS_UUID_RANDOM_LEN] = { 0 };

    ngx_egress_uuid7(id, 0, random);
    ngx_egress_uuid_print(text, id);

    CHECK_MEM(text, sizeof(text),
              "00000000-0000-7000-8000-000000000000", 36);
}


static void
test_order(void)
{
    u_char    a[NGX_EGRESS_UUID_LEN], b[NGX_EGRESS_UUID_LEN];
    u_char    high[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    u_char    low[NGX_EGRESS_UUID_RANDOM_LEN] = { 0 };
    uint64_t  ms;

    for (ms = 1; ms < (uint64_t) 1 << 47; ms *= 2) {
        ngx_egress_uuid7(a, ms, high);
        ngx_egress_uuid7(b, ms + 1, low);
        CHECK(memcmp(a, b, sizeof(a)) < 0);
    }
}


static unit_test_t  tests[] = {
    { "version and variant are set over any randomness", test_layout },
    { "time and randomness of zero", test_zero },
    { "a later id sorts after an earlier one", test_order },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
