/* link: proto/ngx_egress_dict.c proto/ngx_egress_field.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_dict.h"


static ngx_egress_dict_member_t  m;


static ngx_int_t
number(const char *s, ngx_uint_t *n)
{
    ngx_str_t  value;

    value.data = (u_char *) s;
    value.len = strlen(s);

    return ngx_egress_dict_number(&value, n);
}


/* the answer at the end, having counted the members */

static ngx_int_t
walk(const char *s, size_t len, ngx_uint_t *members)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   rest;

    p = malloc(len ? len : 1);
    memcpy(p, s, len);

    rest.data = p;
    rest.len = len;
    *members = 0;

    while ((rc = ngx_egress_dict_next(&rest, &m)) == NGX_OK) {
        (*members)++;
    }

    free(p);

    return rc;
}


static void
test_number(void)
{
    ngx_uint_t  n;

    CHECK_INT(number("0", &n), NGX_OK);
    CHECK_INT(n, 0);
    CHECK_INT(number(" 42\t", &n), NGX_OK);
    CHECK_INT(n, 42);
    CHECK_INT(number("007", &n), NGX_OK);
    CHECK_INT(n, 7);

    CHECK_INT(number("", &n), NGX_ERROR);
    CHECK_INT(number(" ", &n), NGX_ERROR);
    CHECK_INT(number("-1", &n), NGX_ERROR);
    CHECK_INT(number("+1", &n), NGX_ERROR);
    CHECK_INT(number("1 2", &n), NGX_ERROR);
    CHECK_INT(number("1.0", &n), NGX_ERROR);
    CHECK_INT(number("0x1", &n), NGX_ERROR);
    CHECK_INT(number("1,2", &n), NGX_ERROR);
    CHECK_INT(number("99999999999999999999999", &n), NGX_ERROR);

#if (NGX_PTR_SIZE == 8)
    CHECK_INT(number("18446744073709551615", &n), NGX_OK);
    CHECK(n == (ngx_uint_t) -1);
    CHECK_INT(number("18446744073709551616", &n), NGX_ERROR);
#endif
}


static void
test_walk(void)
{
    ngx_str_t  rest = ngx_string(" way=2,\tDirect=1 , pool=\"node-7\",x=a/b:c");

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_OK);
    CHECK_STR(m.key, "way");
    CHECK(m.numeric);
    CHECK_INT(m.number, 2);
    CHECK_STR(m.value, "2");

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_OK);
    CHECK_STR(m.key, "Direct");
    CHECK_INT(m.number, 1);

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_OK);
    CHECK_STR(m.key, "pool");
    CHECK(!m.numeric && !m.escaped);
    CHECK_STR(m.value, "node-7");

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_OK);
    CHECK_STR(m.key, "x");
    CHECK_STR(m.value, "a/b:c");

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_DONE);
}


static void
test_unescape(void)
{
    u_char     buf[16];
    ngx_str_t  rest = ngx_string("a=\"x\\\"y\\\\\", b=\"\"");

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_OK);
    CHECK(m.escaped);
    CHECK_MEM(buf, ngx_egress_dict_unescape(buf, &m.value) - buf,
              "x\"y\\", 4);

    CHECK_INT(ngx_egress_dict_next(&rest, &m), NGX_OK);
    CHECK(!m.escaped && !m.numeric);
    CHECK_INT(m.value.len, 0);
}


#define WALK(s, rc, n)                                                        \
    CHECK_INT(walk(s, sizeof(s) - 1, &members), rc);                          \
    CHECK_INT(members, n)


static void
test_malformed(void)
{
    ngx_uint_t  members;

    WALK("", NGX_DONE, 0);
    WALK(" \t", NGX_DONE, 0);
    WALK("a=1", NGX_DONE, 1);
    WALK("a=1 ", NGX_DONE, 1);
    WALK("a=1,a=2", NGX_DONE, 2);

    WALK("a=1,", NGX_ERROR, 0);
    WALK("a=1, ", NGX_ERROR, 0);
    WALK(",a=1", NGX_ERROR, 0);
    WALK("a=1,,b=2", NGX_ERROR, 1);
    WALK("a", NGX_ERROR, 0);
    WALK("a=", NGX_ERROR, 0);
    WALK("=1", NGX_ERROR, 0);
    WALK("a =1", NGX_ERROR, 0);
    WALK("a= 1", NGX_ERROR, 0);
    WALK("a=1b", NGX_ERROR, 0);
    WALK("a=-1", NGX_ERROR, 0);
    WALK("a=1.5", NGX_ERROR, 0);
    WALK("a=1;p=2", NGX_ERROR, 0);
    WALK("a=1 b=2", NGX_ERROR, 0);
    WALK("a=(1 2)", NGX_ERROR, 0);
    WALK("a=?1", NGX_ERROR, 0);
    WALK("a=\"b", NGX_ERROR, 0);
    WALK("a=\"b\\", NGX_ERROR, 0);
    WALK("a=\"b\\\"", NGX_ERROR, 0);
    WALK("a=\"b\\c\"", NGX_ERROR, 0);
    WALK("a=\"b\n\"", NGX_ERROR, 0);
    WALK("a=\"\303\251\"", NGX_ERROR, 0);
    WALK("a=b\0", NGX_ERROR, 0);
    WALK("a=99999999999999999999999", NGX_ERROR, 0);
}


static unit_test_t  tests[] = {
    { "a number is digits and nothing else", test_number },
    { "members come in order, each of its type", test_walk },
    { "strings are unescaped", test_unescape },
    { "a malformed dictionary is refused", test_malformed },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
