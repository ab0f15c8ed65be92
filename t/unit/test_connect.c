/* link: proto/ngx_egress_connect.c proto/ngx_egress_field.c */
/* link: proto/ngx_egress_addr.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "feed.h"

#include "proto/ngx_egress_connect.h"


static ngx_int_t
reader(void *st, u_char **pos, u_char *last)
{
    return ngx_egress_connect_reply(st, pos, last);
}


/* what follows the head must be left alone */

static void
check_reply(const char *head, size_t len, ngx_int_t want, ngx_uint_t status)
{
    char                        in[4096];
    size_t                      used;
    unsigned                    mode;
    ngx_egress_connect_reply_t  st;

    memcpy(in, head, len);
    memcpy(in + len, "tunnel", 6);

    for (mode = 0; mode < FEED_MODES; mode++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(reader, &st, in, len + (want == NGX_OK ? 6 : 0), mode,
                       &used), want);

        if (want == NGX_OK) {
            CHECK_INT(used, len);
            CHECK_INT(st.size, len);
            CHECK_INT(st.status, status);
        }
    }
}


#define REPLY(s, rc, status)  check_reply(s, sizeof(s) - 1, rc, status)


static void
test_good(void)
{
    REPLY("HTTP/1.1 200 Connection established\r\n\r\n", NGX_OK, 200);
    REPLY("HTTP/1.0 200\r\n\r\n", NGX_OK, 200);
    REPLY("HTTP/1.1 204 \r\nVia: a\r\nX:\r\n\r\n", NGX_OK, 204);
    REPLY("HTTP/1.1 407 Proxy Authentication Required\r\n"
          "Proxy-Authenticate: Basic realm=\"a\"\r\n"
          "Content-Length: 10\r\n\r\n", NGX_OK, 407);
    REPLY("HTTP/1.1 200 caf\303\251\r\n\r\n", NGX_OK, 200);
    REPLY("HTTP/1.0 502 x\nA: b\n\n", NGX_OK, 502);
    REPLY("HTTP/1.1 101 y\r\n\r\n", NGX_OK, 101);
    REPLY("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n"
          "\r\nHTTP/1.1 200 OK\r\n\r\n", NGX_OK, 200);
}


static void
test_partial(void)
{
    REPLY("HTTP/1.1 200 OK\r\n", NGX_AGAIN, 0);
    REPLY("HTTP/1.1 200 OK\r\nA: b\r\n\r", NGX_AGAIN, 0);
    REPLY("HTTP/1.1 100 Continue\r\n\r\n", NGX_AGAIN, 0);
}


static void
test_bad(void)
{
    REPLY("SSH-2.0-x\r\n", NGX_ERROR, 0);
    REPLY("HTTP/2.0 200 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.x 200 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1  200 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 20 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 2000 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 099 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 600 OK\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 O\0K\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\rX\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\n: b\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", NGX_ERROR, 0);
    REPLY("HTTP/1.1 200 OK\r\n\rA", NGX_ERROR, 0);
}


static void
test_bounded(void)
{
    char                        in[] = "HTTP/1.1 200 OK\r\n\r\n";
    size_t                      used;
    ngx_egress_connect_reply_t  st;

    memset(&st, 0, sizeof(st));
    st.max = sizeof(in) - 1;
    CHECK_INT(feed(reader, &st, in, sizeof(in) - 1, 0, &used), NGX_OK);

    memset(&st, 0, sizeof(st));
    st.max = sizeof(in) - 2;
    CHECK_INT(feed(reader, &st, in, sizeof(in) - 1, 0, &used), NGX_ERROR);
    CHECK_INT(used, sizeof(in) - 2);
}


static void
check_request(const char *target, const char *authorization,
    const char *headers, const char *want)
{
    u_char                        buf[1024], host[256];
    size_t                        len;
    ngx_egress_addr_t             a;
    ngx_egress_connect_request_t  r;

    CHECK_INT(ngx_egress_addr_parse(&a, host, (u_char *) target,
                                    strlen(target), 0), NGX_OK);
    r.target = &a;
    r.authorization.data = (u_char *) authorization;
    r.authorization.len = strlen(authorization);
    r.headers.data = (u_char *) headers;
    r.headers.len = strlen(headers);

    len = ngx_egress_connect_request(buf, &r) - buf;
    CHECK(len <= ngx_egress_connect_request_len(&r));
    CHECK_MEM(buf, len, want, strlen(want));
}


static void
test_request(void)
{
    check_request("example.net:443", "", "",
                  "CONNECT example.net:443 HTTP/1.1\r\n"
                  "Host: example.net:443\r\n\r\n");

    check_request("[::1]:80", "Basic dTpw", "X-Path: 2\r\nA: b\r\n",
                  "CONNECT [::1]:80 HTTP/1.1\r\n"
                  "Host: [::1]:80\r\n"
                  "Proxy-Authorization: Basic dTpw\r\n"
                  "X-Path: 2\r\nA: b\r\n\r\n");
}


static void
test_safe(void)
{
    ngx_str_t  good = ngx_string("a b\tc\303\251");
    ngx_str_t  crlf = ngx_string("a\r\nb: c");
    ngx_str_t  zero = ngx_string("a\0b");
    ngx_str_t  del = ngx_string("a\177b");

    CHECK(ngx_egress_connect_safe(&good));
    CHECK(!ngx_egress_connect_safe(&crlf));
    CHECK(!ngx_egress_connect_safe(&zero));
    CHECK(!ngx_egress_connect_safe(&del));
}


static unit_test_t  tests[] = {
    { "a reply is read up to the tunnel's first byte", test_good },
    { "an incomplete reply asks for more", test_partial },
    { "a malformed reply is refused", test_bad },
    { "a reply has a maximum size", test_bounded },
    { "a request is written", test_request },
    { "a value that would split a header is seen", test_safe },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
