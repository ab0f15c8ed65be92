/* link: proto/ngx_egress_socks4.c */
/* link: proto/ngx_egress_socks.c proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "feed.h"

#include "proto/ngx_egress_socks4.h"


static ngx_egress_socks4_request_t  st;


static ngx_int_t
reader(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_socks4_request(data, pos, last);
}


static void
check_request(const char *in, size_t len, const char *host, ngx_uint_t port,
    const char *user)
{
    char      buf[1024];
    size_t    used;
    unsigned  mode;

    memcpy(buf, in, len);
    memcpy(buf + len, "early", 5);

    for (mode = 0; mode < FEED_MODES; mode++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(reader, &st, buf, len + 5, mode, &used), NGX_OK);
        CHECK_INT(used, len);
        CHECK_STR(st.addr.host, host);
        CHECK_INT(st.addr.port, port);
        CHECK_STR(st.user, user);
    }
}


static void
check_refused(const char *in, size_t len, ngx_uint_t error)
{
    size_t    used;
    unsigned  mode;

    for (mode = 0; mode < FEED_MODES; mode++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(reader, &st, in, len, mode, &used), NGX_ERROR);
        CHECK_INT(st.error, error);
    }
}


#define GOOD(s, host, port, user)                                             \
    check_request(s, sizeof(s) - 1, host, port, user)
#define BAD(s, e)  check_refused(s, sizeof(s) - 1, NGX_EGRESS_SOCKS_##e)


static void
test_good(void)
{
    GOOD("\4\1\1\273\300\0\2\1\0", "192.0.2.1", 443, "");
    CHECK_INT(st.command, NGX_EGRESS_SOCKS_CONNECT);
    CHECK_INT(st.addr.family, AF_INET);

    GOOD("\4\2\0\0\300\0\2\1joe\0", "192.0.2.1", 0, "joe");
    CHECK_INT(st.command, NGX_EGRESS_SOCKS_BIND);

    GOOD("\4\1\0\120\0\0\0\1joe\0Example.NET.\0", "example.net", 80, "joe");
    CHECK_INT(st.addr.family, AF_UNSPEC);

    GOOD("\4\1\0\120\0\0\0\377\0" "127.0.0.1\0", "127.0.0.1", 80, "");
    CHECK_INT(st.addr.family, AF_INET);

    GOOD("\4\1\0\120\0\0\0\1\0::1\0", "::1", 80, "");

    /* x is zero: an address, and no name follows */
    GOOD("\4\1\0\120\0\0\0\0\0", "0.0.0.0", 80, "");
}


static void
test_bad(void)
{
    BAD("\5", VERSION);
    BAD("\4\3", COMMAND);
    BAD("\4\0", COMMAND);
    BAD("\4\1\0\0\300\0\2\1", PORT);
    BAD("\4\1\0\120\0\0\0\1\0\0", HOST);
    BAD("\4\1\0\120\0\0\0\1\0a b\0", HOST);
    BAD("\4\1\0\120\0\0\0\1\0" "0x7f.1\0", HOST);
}


static void
test_bounded(void)
{
    char    in[1024];
    size_t  used;

    memcpy(in, "\4\1\0\120\300\0\2\1", 8);
    memset(in + 8, 'u', 255);
    in[8 + 255] = '\0';

    memset(&st, 0, sizeof(st));
    CHECK_INT(feed(reader, &st, in, 8 + 256, 1, &used), NGX_OK);
    CHECK_INT(st.user.len, 255);

    in[8 + 255] = 'u';
    check_refused(in, 8 + 256, NGX_EGRESS_SOCKS_USER);

    memcpy(in, "\4\1\0\120\0\0\0\1\0", 9);
    memset(in + 9, 'a', 900);
    check_refused(in, 9 + 900, NGX_EGRESS_SOCKS_HOST);
}


static void
test_partial(void)
{
    size_t  i, used;
    char    in[] = "\4\1\0\120\0\0\0\1joe\0example.net";

    for (i = 0; i < sizeof(in); i++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(reader, &st, in, i, 0, &used), NGX_AGAIN);
    }
}


static void
test_reply(void)
{
    u_char             buf[NGX_EGRESS_SOCKS4_REPLY_LEN], host[64];
    ngx_egress_addr_t  a;

    CHECK(ngx_egress_socks4_reply(buf, NGX_EGRESS_SOCKS4_REJECTED, NULL)
          == buf + sizeof(buf));
    CHECK_MEM(buf, sizeof(buf), "\0\133\0\0\0\0\0\0", 8);

    ngx_egress_addr_in(&a, host, (u_char *) "\300\0\2\1", 443);
    CHECK(ngx_egress_socks4_reply(buf, NGX_EGRESS_SOCKS4_GRANTED, &a)
          == buf + sizeof(buf));
    CHECK_MEM(buf, sizeof(buf), "\0\132\1\273\300\0\2\1", 8);

    ngx_egress_addr_in6(&a, host, (u_char *) "0123456789abcdef", 443);
    ngx_egress_socks4_reply(buf, NGX_EGRESS_SOCKS4_GRANTED, &a);
    CHECK_MEM(buf, sizeof(buf), "\0\132\0\0\0\0\0\0", 8);
}


static void
test_errors_have_text(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_SOCKS_ERRORS; i++) {
        CHECK(ngx_egress_socks_strerror(i) != NULL);
        CHECK(strcmp(ngx_egress_socks_strerror(i), "unknown error") != 0);
    }

    CHECK(strcmp(ngx_egress_socks_strerror(i), "unknown error") == 0);
}


static unit_test_t  tests[] = {
    { "SOCKS4 and 4a requests are read at any split", test_good },
    { "malformed requests are refused with a reason", test_bad },
    { "strings are bounded", test_bounded },
    { "an incomplete request asks for more", test_partial },
    { "a reply shows an IPv4 address or none", test_reply },
    { "every error has a text", test_errors_have_text },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
