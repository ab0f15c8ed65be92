/* link: ../ngx_ws_proxy_module/ngx_ws_response.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * Responses to health checks.
 */


#include "unit.h"

#include <ngx_ws_response.h>


static u_char  buf[512];


static ngx_int_t
parse(ngx_ws_response_t *res, const char *text)
{
    memset(res, 0, sizeof(ngx_ws_response_t));
    strcpy((char *) buf, text);

    return ngx_ws_response_parse(res, buf, buf + strlen(text));
}


static void
test_header(void)
{
    ngx_ws_response_t  res;

    CHECK_INT(parse(&res, "HTTP/1.1 404 Not Found\r\nServer:  node-7 \r\n"
                    "content-LENGTH: 3\r\n\r\nabc"), NGX_OK);
    CHECK_INT(res.status, 404);
    CHECK_INT(res.length, 3);
    CHECK_STR(ngx_ws_response_header(&res, "server", 6), "node-7");
    CHECK(ngx_ws_response_header(&res, "serve", 5).data == NULL);
    CHECK_INT(ngx_ws_response_body(&res, buf + strlen((char *) buf), 1),
              NGX_OK);
    CHECK_STR(res.body, "abc");

    CHECK_INT(parse(&res, "HTTP/1.0 200 OK\n\n"), NGX_OK);
    CHECK_INT(res.length, -1);
    CHECK_INT(parse(&res, ""), NGX_AGAIN);
    CHECK_INT(parse(&res, "HTTP/1.1 200 OK\r\nServer: x\r\n"), NGX_AGAIN);
    CHECK_INT(parse(&res, "SSH-2.0-x\r\n"), NGX_ERROR);
    CHECK_INT(parse(&res, "HTTP/2.0 200 OK\r\n\r\n"), NGX_ERROR);
    CHECK_INT(parse(&res, "HTTP/1.1 0x9 OK\r\n\r\n"), NGX_ERROR);
    CHECK_INT(parse(&res, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
              NGX_ERROR);
}


static void
check_chunks(const char *body, ngx_int_t rc, const char *want)
{
    char               text[256];
    ngx_ws_response_t  res;

    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n"
             "Transfer-Encoding: Chunked\r\n\r\n%s", body);

    CHECK_INT(parse(&res, text), NGX_OK);
    CHECK(res.chunked);
    CHECK_INT(ngx_ws_response_body(&res, buf + strlen(text), 0), rc);
    CHECK_INT(ngx_ws_response_body(&res, buf + strlen(text), 1), rc);

    if (rc != NGX_ERROR) {
        CHECK_STR(res.body, want);
    }
}


static void
test_chunks(void)
{
    check_chunks("5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", NGX_OK,
                 "hello world");
    check_chunks("5\r\nhello\r\n6\r\n wo", NGX_AGAIN, "hello wo");
    check_chunks("5\r\nhello", NGX_AGAIN, "hello");
    check_chunks("5\r\nhello\r", NGX_AGAIN, "hello");
    check_chunks("5", NGX_AGAIN, "");
    check_chunks("", NGX_AGAIN, "");
    check_chunks("A\r\n0123456789\r\n0\r\n", NGX_OK, "0123456789");
    check_chunks("x\r\n", NGX_ERROR, "");
    check_chunks("fffffffff\r\n", NGX_ERROR, "");
}


static unit_test_t  tests[] = {
    { "headers", test_header },
    { "chunks", test_chunks },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
