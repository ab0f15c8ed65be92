/* link: ../ngx_ws_proxy_module/ngx_ws_frame.c */
/* link: ../ngx_ws_proxy_module/ngx_ws_utf8.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * The framing of RFC 6455, and its control frames.
 */


#include "unit.h"

#include <ngx_ws_frame.h>
#include <ngx_ws_utf8.h>


/* "HHE": events of the input, one letter each, stops at the first error */

static char *
events(ngx_ws_frame_t *f, const char *in, size_t len)
{
    char           *p;
    u_char         *pos, *last, *copy;

    static char  text[256];

    copy = malloc(len ? len : 1);
    memcpy(copy, in, len);
    pos = copy;
    last = copy + len;
    p = text;

    for ( ;; ) {

        switch (ngx_ws_frame_parse(f, &pos, last)) {

        case NGX_WS_HEADER:
            *p++ = 'H';
            continue;

        case NGX_WS_PAYLOAD:
            *p++ = 'P';
            continue;

        case NGX_WS_END:
            *p++ = 'E';
            continue;

        case NGX_WS_BAD:
            *p++ = 'B';
            break;

        default:
            CHECK(pos == last);
            break;
        }

        break;
    }

    *p = '\0';
    free(copy);

    return text;
}


static void
check_events(const char *in, size_t len, unsigned masked, const char *want)
{
    char            *got;
    ngx_ws_frame_t   f;

    memset(&f, 0, sizeof(f));
    f.masked = masked;

    got = events(&f, in, len);
    CHECK_MEM(got, strlen(got), want, strlen(want));
}


#define EVENTS(in, masked, want)                                              \
    check_events(in, sizeof(in) - 1, masked, want)


static void
test_examples(void)
{
    /* RFC 6455, 5.7 */

    EVENTS("\x81\x05Hello", 0, "HPE");
    EVENTS("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1, "HPE");
    EVENTS("\x01\x03Hel\x80\x02lo", 0, "HPEHPE");
    EVENTS("\x89\x05Hello", 0, "HPE");
    EVENTS("\x01\x03Hel\x89\x00\x80\x02lo", 0, "HPEHEHPE");
    EVENTS("\x88\x00", 0, "HE");
}


static void
test_violations(void)
{
    EVENTS("\xc1\x00", 0, "B");                  /* RSV 1 */
    EVENTS("\xa1\x00", 0, "B");
    EVENTS("\x91\x00", 0, "B");
    EVENTS("\x83\x00", 0, "B");                  /* opcodes */
    EVENTS("\x8b\x00", 0, "B");
    EVENTS("\x81\x80", 0, "B");                  /* mask */
    EVENTS("\x81\x00", 1, "B");
    EVENTS("\x80\x00", 0, "B");                  /* continuation of nothing */
    EVENTS("\x01\x00\x01\x00", 0, "HEB");
    EVENTS("\x09\x00", 0, "B");                  /* fragmented ping */
    EVENTS("\x89\x7e", 0, "B");                  /* long ping */
    EVENTS("\x82\x7e\x00\x7d", 0, "B");          /* not minimal */
    EVENTS("\x82\x7f\0\0\0\0\0\0\xff\xff", 0, "B");
    EVENTS("\x82\x7f\x80\0\0\0\0\x01\0\0", 0, "B");
    EVENTS("\x88\x01x", 0, "HPB");               /* close */
    EVENTS("\x88\x02\x03\xed", 0, "HPB");
    EVENTS("\x88\x03\x03\xe8\xff", 0, "HPB");
    EVENTS("\x88\x04\x03\xe8\xc3\xa9", 0, "HPE");
}


static void
test_codes(void)
{
    ngx_ws_frame_t  f;

    memset(&f, 0, sizeof(f));
    events(&f, "\x83\x00", 2);
    CHECK_INT(f.close, 1002);
    CHECK(f.error != NULL);

    memset(&f, 0, sizeof(f));
    events(&f, "\x88\x03\x03\xe8\xff", 5);
    CHECK_INT(f.close, 1007);

    memset(&f, 0, sizeof(f));
    events(&f, "\x88\x04\x0f\xa0ok", 6);
    CHECK_INT(f.close, 4000);

    memset(&f, 0, sizeof(f));
    events(&f, "\x88\x00", 2);
    CHECK_INT(f.close, NGX_WS_CLOSE_NO_CODE);

    CHECK(ngx_ws_close_code_valid(1000));
    CHECK(ngx_ws_close_code_valid(4999));
    CHECK(!ngx_ws_close_code_valid(1004));
    CHECK(!ngx_ws_close_code_valid(1015));
    CHECK(!ngx_ws_close_code_valid(2999));
    CHECK(!ngx_ws_close_code_valid(5000));
}


static void
test_lengths(void)
{
    u_char           *pos;
    ngx_ws_frame_t    f;

    static u_char  big[] = "\x82\x7f\0\0\0\x01\0\0\0\0";

    memset(&f, 0, sizeof(f));
    pos = big;
    CHECK_INT(ngx_ws_frame_parse(&f, &pos, big + 10), NGX_WS_HEADER);
    CHECK(f.length == 4294967296ULL);
    CHECK(f.left == f.length);
    CHECK_INT(ngx_ws_frame_parse(&f, &pos, big + 10), NGX_WS_AGAIN);
}


static void
test_slice(void)
{
    ngx_ws_frame_t  f;

    memset(&f, 0, sizeof(f));
    f.slice = 2;
    CHECK(strcmp(events(&f, "\x81\x05Hello", 7), "HPPPE") == 0);
    CHECK(strcmp(events(&f, "\x89\x05Hello", 7), "HPE") == 0);
}


static void
test_unmask(void)
{
    size_t        len, i, from;
    u_char        text[64], got[64];
    ngx_uint_t    phase;

    static u_char  mask[] = { 1, 2, 4, 8 };

    for (len = 0; len < 40; len++) {
        for (from = 0; from < 4; from++) {

            for (i = 0; i < len; i++) {
                text[i] = (u_char) i;
            }

            phase = ngx_ws_unmask(got, text, len, mask, from);
            CHECK_INT(phase, (from + len) & 3);

            for (i = 0; i < len; i++) {
                CHECK_INT(got[i], i ^ mask[(from + i) & 3]);
            }
        }
    }
}


static void
test_control(void)
{
    u_char     *last, buf[NGX_WS_CONTROL_FRAME_MAX];
    ngx_str_t   reason;

    static u_char  mask[] = { 1, 1, 1, 1 };

    last = ngx_ws_frame_control(buf, NGX_WS_PING, (u_char *) "ab", 2, NULL);
    CHECK_MEM(buf, last - buf, "\x89\x02" "ab", 4);

    last = ngx_ws_frame_control(buf, NGX_WS_PING, (u_char *) "ab", 2, mask);
    CHECK_MEM(buf, last - buf, "\x89\x82\x01\x01\x01\x01" "`c", 8);

    last = ngx_ws_frame_close(buf, NGX_WS_CLOSE_NO_CODE, NULL, NULL);
    CHECK_MEM(buf, last - buf, "\x88\x00", 2);

    last = ngx_ws_frame_close(buf, 1001, NULL, NULL);
    CHECK_MEM(buf, last - buf, "\x88\x02\x03\xe9", 4);

    reason.data = buf;
    reason.len = 124;
    last = ngx_ws_frame_close(buf, 1001, &reason, mask);
    CHECK_INT(last - buf, NGX_WS_CONTROL_FRAME_MAX);
}


static ngx_uint_t
is_utf8(const char *text, size_t len)
{
    size_t         i;
    ngx_uint_t     whole, bytes;
    ngx_ws_utf8_t  u;

    ngx_ws_utf8_init(&u);
    whole = ngx_ws_utf8_check(&u, (u_char *) text, len) == NGX_OK
            && ngx_ws_utf8_complete(&u);

    bytes = 1;
    ngx_ws_utf8_init(&u);

    for (i = 0; i < len && bytes; i++) {
        bytes = ngx_ws_utf8_check(&u, (u_char *) text + i, 1) == NGX_OK;
    }

    CHECK_INT(bytes && ngx_ws_utf8_complete(&u), whole);

    return whole;
}


static void
test_utf8(void)
{
    CHECK(is_utf8("", 0));
    CHECK(is_utf8("plain text of more than eight", 29));
    CHECK(is_utf8("0123456\xc3\xa9", 9));
    CHECK(is_utf8("01234567\xf0\x9f\x98\x80xyz", 15));
    CHECK(is_utf8("\xf4\x8f\xbf\xbf", 4));
    CHECK(is_utf8("\xed\x9f\xbf\xee\x80\x80", 6));
    CHECK(!is_utf8("\xf4\x90\x80\x80", 4));
    CHECK(!is_utf8("\xed\xa0\x80", 3));
    CHECK(!is_utf8("\xc0\x80", 2));
    CHECK(!is_utf8("\xe0\x9f\xbf", 3));
    CHECK(!is_utf8("\xf0\x8f\xbf\xbf", 4));
    CHECK(!is_utf8("\x80", 1));
    CHECK(!is_utf8("\xc3", 1));
    CHECK(!is_utf8("\xc3\xc3", 2));
    CHECK(!is_utf8("\xff", 1));
}


static unit_test_t  tests[] = {
    { "the examples of RFC 6455", test_examples },
    { "violations", test_violations },
    { "close codes", test_codes },
    { "long lengths", test_lengths },
    { "payload in slices", test_slice },
    { "the mask in any phase", test_unmask },
    { "frames of our own", test_control },
    { "UTF-8", test_utf8 },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
