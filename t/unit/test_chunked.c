/* link: proto/ngx_egress_chunked.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "feed.h"
#include "chunked_body.h"


static chunked_body_t  st;


static void
check(const char *in, size_t len, ngx_int_t want, const char *body)
{
    char      buf[16384];
    size_t    used;
    unsigned  mode;

    memcpy(buf, in, len);
    memcpy(buf + len, "\r\nnext", 6);

    for (mode = 0; mode < FEED_MODES; mode++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(chunked_body, &st, buf,
                       len + (want == NGX_OK ? 6 : 0), mode, &used), want);

        if (want == NGX_OK) {
            CHECK_INT(used, len);
        }

        if (body) {
            CHECK_MEM(st.body, st.len, body, strlen(body));
        }
    }
}


#define GOOD(s, body)  check(s, sizeof(s) - 1, NGX_OK, body)
#define MORE(s, body)  check(s, sizeof(s) - 1, NGX_AGAIN, body)
#define BAD(s)         check(s, sizeof(s) - 1, NGX_ERROR, NULL)


static void
test_chunks(void)
{
    GOOD("0\r\n", "");
    GOOD("3\r\nabc\r\n0\r\n", "abc");
    GOOD("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n", "abc0123456789");
    GOOD("a\r\n0123456789\r\n0\r\n", "0123456789");
    GOOD("1\r\n\r\r\n1\r\n\n\r\n0\r\n", "\r\n");
}


static void
test_cut(void)
{
    MORE("", "");
    MORE("3", "");
    MORE("3\r", "");
    MORE("3\r\n", "");
    MORE("3\r\nab", "ab");
    MORE("3\r\nabc", "abc");
    MORE("3\r\nabc\r", "abc");
    MORE("3\r\nabc\r\n", "abc");
    MORE("3\r\nabc\r\n0", "abc");
    MORE("3\r\nabc\r\n0\r", "abc");
}


static void
test_size(void)
{
    GOOD("0000003\r\nabc\r\n000\r\n", "abc");
    MORE("7fffffffffffffff\r\nabc", "abc");

    BAD("8000000000000000\r\n");
    BAD("10000000000000003\r\nabc\r\n");
    BAD("ffffffffffffffff\r\n");
    BAD("\r\n");
    BAD(";\r\n");
    BAD(" 3\r\nabc");
    BAD("-3\r\nabc");
    BAD("+3\r\nabc");
    BAD("0x3\r\nabc");
    BAD("xyz\r\nabc");
    BAD("3g\r\nabc");
}


static void
test_extension(void)
{
    GOOD("3;name=value\r\nabc\r\n0;last\r\n", "abc");
    GOOD("3 ; a=\"b\tc\"\r\nabc\r\n0\r\n", "abc");
    GOOD("3  \r\nabc\r\n0 \r\n", "abc");

    BAD("3 4\r\nabc");
    BAD("3;a\nb\r\nabc");
    BAD("3;a\0b\r\nabc");
    BAD("3;a\177\r\nabc");
    BAD("3;a\rb\r\nabc");
}


static void
test_line_ends(void)
{
    BAD("3\nabc\n0\n");
    BAD("3\rabc\r0\r");
    BAD("3\r\nabc\n0\r\n");
    BAD("3\r\nabcdef0\r\n");
    BAD("3\r\nabc\r0\r\n");
}


static void
test_long_line(void)
{
    char  line[NGX_EGRESS_CHUNK_LINE + 16];

    memset(line, 'x', sizeof(line));
    memcpy(line, "3;", 2);

    check(line, NGX_EGRESS_CHUNK_LINE, NGX_AGAIN, "");
    check(line, sizeof(line), NGX_ERROR, NULL);

    memset(line, '0', sizeof(line));

    check(line, sizeof(line), NGX_ERROR, NULL);
}


static unit_test_t  tests[] = {
    { "chunks become a body", test_chunks },
    { "a body that was cut is not complete", test_cut },
    { "sizes are plain hexadecimal numbers of 63 bits", test_size },
    { "extensions are skipped, control characters refused", test_extension },
    { "lines end with CRLF only", test_line_ends },
    { "a line is not endless", test_long_line },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
