/* link: proto/ngx_egress_http_head.c proto/ngx_egress_field.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "feed.h"

#include "proto/ngx_egress_http_head.h"


static ngx_egress_http_head_t  st;


static ngx_int_t
reader(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_http_head(data, pos, last);
}


static void
check(const char *in, size_t len, ngx_int_t want, const char *host)
{
    char      buf[4096];
    size_t    used;
    unsigned  mode;

    memcpy(buf, in, len);
    memcpy(buf + len, "body", 4);

    for (mode = 0; mode < FEED_MODES; mode++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(reader, &st, buf, len + (want == NGX_OK ? 4 : 0), mode,
                       &used), want);

        if (want == NGX_OK) {
            CHECK_INT(used, len);
            CHECK_STR(st.host, host);
        }
    }
}


#define GOOD(s, host)  check(s, sizeof(s) - 1, NGX_OK, host)

#define BAD(s, e)                                                             \
    check(s, sizeof(s) - 1, NGX_ERROR, "");                                   \
    CHECK_INT(st.error, NGX_EGRESS_HTTP_##e)


static void
test_host(void)
{
    GOOD("GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n", "a.example:80");
    CHECK(!st.absolute && !st.connect);
}


static void
test_host_spellings(void)
{
    GOOD("GET / HTTP/1.1\r\nhOsT:a\r\n\r\n", "a");
    GOOD("GET / HTTP/1.0\nA: b\nHOST:\t a \t\nC:\n\n", "a");
    GOOD("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a");
    GOOD("GET / HTTP/1.1\r\nHosts: b\r\nHos: c\r\nX-Host: d\r\n\r\n", "");
    GOOD("GET / HTTP/1.1\r\nHhost: b\r\nHost: a\r\n\r\n", "a");
    GOOD("GET / HTTP/1.1\r\nHost:\r\n\r\n", "");
    GOOD("GET / HTTP/1.0\r\n\r\n", "");
    GOOD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "a b");
}


static void
test_absolute(void)
{
    GOOD("GET http://a.example:8080/x?y HTTP/1.1\r\nHost: b\r\n\r\n",
         "a.example:8080");
    CHECK(st.absolute && !st.https);
    GOOD("GET HTTPS://a HTTP/1.1\r\nHost: b\r\n\r\n", "a");
    CHECK(st.absolute && st.https);
    GOOD("GET http://a?http://c/ HTTP/1.1\r\nHost: b\r\n\r\n", "a");
    GOOD("GET http://u@a#b HTTP/1.1\r\n\r\n", "u@a");
    GOOD("GET http://[::1]:80/ HTTP/1.1\r\n\r\n", "[::1]:80");
}


static void
test_connect(void)
{
    GOOD("CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n\r\n",
         "a.example:443");
    CHECK(st.connect && !st.absolute);
}


static void
test_refused(void)
{
    BAD("SSH-2.0-OpenSSH\r\n", NOT_HTTP);
    BAD(" / HTTP/1.1\r\n\r\n", NOT_HTTP);
    BAD("G\tT / HTTP/1.1\r\n\r\n", NOT_HTTP);
    BAD("GET /\r\n\r\n", NOT_HTTP);
    BAD("GET / HTTP/2.0\r\n\r\n", NOT_HTTP);
    BAD("GET / HTTP/1.1 \r\n\r\n", NOT_HTTP);
    BAD("GET / HTTP/1.10\r\n\r\n", NOT_HTTP);
    BAD("GET / HTTP/1.1\rHost: a\r\n\r\n", NOT_HTTP);
    BAD("GET /\0 HTTP/1.1\r\n\r\n", NOT_HTTP);
    BAD("GET /x y HTTP/1.1\r\nHost: a\r\n\r\n", NOT_HTTP);
    BAD("GET  HTTP/1.1\r\n\r\n", TARGET);
    BAD("GET a.example HTTP/1.1\r\n\r\n", TARGET);
    BAD("GET *x HTTP/1.1\r\n\r\n", TARGET);
    BAD("GET ftp://a/ HTTP/1.1\r\n\r\n", TARGET);
    BAD("GET http:/// HTTP/1.1\r\n\r\n", TARGET);
    BAD("GET http:// HTTP/1.1\r\n\r\n", TARGET);
    BAD("GET / HTTP/1.1\r\nHost : a\r\n\r\n", FIELD);
    BAD("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", FIELD);
    BAD("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", FIELD);
    BAD("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", FIELD);
    BAD("GET / HTTP/1.1\r\n: a\r\n\r\n", FIELD);
    BAD("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HOSTS);
    BAD("GET / HTTP/1.1\r\nHost:\r\nX: y\r\nhost: a\r\n\r\n", HOSTS);
    BAD("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HOSTS);
}


static void
test_lengths(void)
{
    char    in[1024], name[400];
    size_t  n, used;

    memset(name, 'a', sizeof(name));

    n = sprintf(in, "GET http://%.*s/ HTTP/1.1\r\n\r\n",
                (int) NGX_EGRESS_ADDR_LEN, name);
    memset(&st, 0, sizeof(st));
    CHECK_INT(feed(reader, &st, in, n, 1, &used), NGX_OK);
    CHECK_INT(st.host.len, NGX_EGRESS_ADDR_LEN);
}


static void
test_too_long(void)
{
    char    in[1024], name[400];
    size_t  n, used;

    memset(name, 'a', sizeof(name));

    n = sprintf(in, "GET https://%.*s/ HTTP/1.1\r\n\r\n",
                (int) NGX_EGRESS_ADDR_LEN + 1, name);
    check(in, n, NGX_ERROR, "");
    CHECK_INT(st.error, NGX_EGRESS_HTTP_TARGET);

    n = sprintf(in, "CONNECT %.*s HTTP/1.1\r\n\r\n",
                (int) NGX_EGRESS_ADDR_LEN + 1, name);
    check(in, n, NGX_ERROR, "");
    CHECK_INT(st.error, NGX_EGRESS_HTTP_TARGET);

    n = sprintf(in, "GET / HTTP/1.1\r\nHost: %.*s\r\n\r\n", 400, name);
    check(in, n, NGX_ERROR, "");
    CHECK_INT(st.error, NGX_EGRESS_HTTP_HOST);

    n = sprintf(in, "%.33s / HTTP/1.1\r\n\r\n", name);
    check(in, n, NGX_ERROR, "");
    CHECK_INT(st.error, NGX_EGRESS_HTTP_NOT_HTTP);

    n = sprintf(in, "GET / HTTP/1.1\r\n\r\n");
    memset(&st, 0, sizeof(st));
    st.max = n;
    CHECK_INT(feed(reader, &st, in, n, 1, &used), NGX_OK);
    memset(&st, 0, sizeof(st));
    st.max = n - 1;
    CHECK_INT(feed(reader, &st, in, n, 1, &used), NGX_ERROR);
    CHECK_INT(st.error, NGX_EGRESS_HTTP_TOO_LONG);
}


static void
test_errors_have_text(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_HTTP_ERRORS; i++) {
        CHECK(ngx_egress_http_strerror(i) != NULL);
        CHECK(strcmp(ngx_egress_http_strerror(i), "unknown error") != 0);
    }

    CHECK(strcmp(ngx_egress_http_strerror(i), "unknown error") == 0);
}


static unit_test_t  tests[] = {
    { "the host is found, and nothing behind the head read", test_host },
    { "Host is found however it is written", test_host_spellings },
    { "an absolute target wins over Host", test_absolute },
    { "CONNECT names its target", test_connect },
    { "malformed heads are refused with a reason", test_refused },
    { "the longest host fits", test_lengths },
    { "what is too long is refused", test_too_long },
    { "every error has a text", test_errors_have_text },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
