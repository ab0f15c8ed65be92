/* link: proto/ngx_egress_host_match.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_host_match.h"


static ngx_str_t  domain = ngx_string("example.net");
static ngx_str_t  empty = ngx_null_string;


static ngx_str_t *
str(const char *s)
{
    static ngx_str_t  value;

    value.data = (u_char *) s;
    value.len = strlen(s);

    return &value;
}


static void
test_exact(void)
{
    CHECK(ngx_egress_host_match_exact(str("example.net"), &domain));
    CHECK(!ngx_egress_host_match_exact(str("a.example.net"), &domain));
    CHECK(!ngx_egress_host_match_exact(str("example.ne"), &domain));
    CHECK(!ngx_egress_host_match_exact(str("example.nex"), &domain));
    CHECK(!ngx_egress_host_match_exact(&empty, &domain));
}


static void
test_child(void)
{
    CHECK(ngx_egress_host_match_child(str("example.net"), &domain));
    CHECK(ngx_egress_host_match_child(str("a.example.net"), &domain));
    CHECK(ngx_egress_host_match_child(str("a.b.example.net"), &domain));
    CHECK(!ngx_egress_host_match_child(str("badexample.net"), &domain));
    CHECK(!ngx_egress_host_match_child(str("example.net.evil"), &domain));
    CHECK(!ngx_egress_host_match_child(str("net"), &domain));
    CHECK(!ngx_egress_host_match_child(str("a.example.org"), &domain));
    CHECK(!ngx_egress_host_match_child(&empty, &domain));
    CHECK(!ngx_egress_host_match_child(str("example.net"), &empty));
    CHECK(!ngx_egress_host_match_child(&empty, &empty));
}


static void
test_parent(void)
{
    ngx_str_t  host;

    host = *str("a.b.c");
    CHECK_INT(ngx_egress_host_parent(&host), NGX_OK);
    CHECK_STR(host, "b.c");
    CHECK_INT(ngx_egress_host_parent(&host), NGX_OK);
    CHECK_STR(host, "c");
    CHECK_INT(ngx_egress_host_parent(&host), NGX_DECLINED);
    CHECK_STR(host, "c");

    host = empty;
    CHECK_INT(ngx_egress_host_parent(&host), NGX_DECLINED);
}


static unit_test_t  tests[] = {
    { "an exact rule matches one name", test_exact },
    { "a child rule matches at label boundaries only", test_child },
    { "walking up ends at the last label", test_parent },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
