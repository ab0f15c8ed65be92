/* link: proto/ngx_egress_uuid.c */

#include "unit.h"
#include "ngx_egress_uuid.h"


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


int
main(void)
{
    unit_test_t  tests[] = {
        { "version and variant are set over any randomness", test_layout },
        { "time and randomness of zero", test_zero },
    };

    return UNIT_RUN(tests);
}
