/* link: proto/ngx_egress_detect.c proto/ngx_egress_field.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_detect.h"


/* asks for more until the answer is there, then it stays */

static void
check(const char *in, size_t len, ngx_egress_detect_e want, size_t decided)
{
    size_t               i;
    u_char              *p;
    ngx_egress_detect_e  got;

    for (i = 0; i <= len; i++) {
        p = malloc(i ? i : 1);
        memcpy(p, in, i);
        got = ngx_egress_detect(p, i);
        free(p);

        CHECK_INT(got, i < decided ? NGX_EGRESS_DETECT_MORE : want);
    }

    CHECK(decided <= NGX_EGRESS_DETECT_LEN);
}


#define CHECK_DETECT(s, protocol, decided)                                    \
    check(s, sizeof(s) - 1, NGX_EGRESS_DETECT_##protocol, decided)


static void
test_known(void)
{
    CHECK_DETECT("\x16\3\1\2\0\1", TLS, 3);
    CHECK_DETECT("\x16\3\3", TLS, 3);
    CHECK_DETECT("GET / HTTP/1.1", HTTP1, 4);
    CHECK_DETECT("POST / HTTP/1.1", HTTP1, 5);
    CHECK_DETECT("PROPFIND / HTTP/1.1", HTTP1, 9);
    CHECK_DETECT("PRI / HTTP/1.1", HTTP1, 5);
    CHECK_DETECT("M-SEARCH * HTTP/1.1", HTTP1, 9);
    CHECK_DETECT("CONNECT a:1 HTTP/1.1", HTTP1, 8);
    CHECK_DETECT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", HTTP2, 24);
    CHECK_DETECT("\4\1\0\120", SOCKS4, 2);
    CHECK_DETECT("\4\2", SOCKS4, 2);
    CHECK_DETECT("\5\1\0", SOCKS5, 1);
    CHECK_DETECT("PROXY TCP4", PP1, 6);
    CHECK_DETECT("\r\n\r\n\0\r\nQUIT\n\x21", PP2, 12);
}


static void
test_unknown(void)
{
    CHECK_DETECT("\4\3", UNKNOWN, 2);
    CHECK_DETECT("\x16\2", UNKNOWN, 2);
    CHECK_DETECT("\x16\3\5", UNKNOWN, 3);
    CHECK_DETECT("\r\n\r\n\0\r\nQUIX", UNKNOWN, 11);
    CHECK_DETECT("\r\nGET /", UNKNOWN, 3);
    CHECK_DETECT("SSH-2.0-OpenSSH", UNKNOWN, 5);
    CHECK_DETECT("\0", UNKNOWN, 1);
    CHECK_DETECT(" GET", UNKNOWN, 1);
    CHECK_DETECT("PROXY\tTCP4", UNKNOWN, 6);
    CHECK_DETECT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", UNKNOWN, 33);
}


static unit_test_t  tests[] = {
    { "protocols are told apart as early as possible", test_known },
    { "anything else is unknown, and soon", test_unknown },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
