/* link: proto/ngx_egress_text.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"

#include "proto/ngx_egress_text.h"


static void
test_plain(void)
{
    u_char     buf[NGX_EGRESS_TEXT_LEN];
    ngx_str_t  text, s = ngx_string("a.example.net ~");

    ngx_egress_text(&text, buf, &s);

    CHECK_MEM(text.data, text.len, "a.example.net ~", 15);

    s.len = 0;
    ngx_egress_text(&text, buf, &s);

    CHECK(text.len == 0);
}


static void
test_escaped(void)
{
    u_char     buf[NGX_EGRESS_TEXT_LEN];
    ngx_str_t  text, s = ngx_string("a\n\"\\\x1b\x7f\xe4\0b");

    ngx_egress_text(&text, buf, &s);

    CHECK_MEM(text.data, text.len,
              "a\\x0A\\x22\\x5C\\x1B\\x7F\\xE4\\x00b", 30);
}


/* whatever is inside, and however long it is, it stays in the buffer */

static void
test_long(void)
{
    size_t     len;
    u_char     long_text[2 * NGX_EGRESS_TEXT_LEN], buf[NGX_EGRESS_TEXT_LEN];
    ngx_str_t  text, s;

    s.data = long_text;

    for (len = 0; len <= sizeof(long_text); len++) {
        s.len = len;

        memset(long_text, 'a', sizeof(long_text));
        ngx_egress_text(&text, buf, &s);

        CHECK(text.len <= NGX_EGRESS_TEXT_LEN);
        CHECK(text.len == len
              || memcmp(text.data + text.len - 3, "...", 3) == 0);

        memset(long_text, '\n', sizeof(long_text));
        ngx_egress_text(&text, buf, &s);

        CHECK(text.len <= NGX_EGRESS_TEXT_LEN);
        CHECK(text.len == 4 * len
              || memcmp(text.data + text.len - 3, "...", 3) == 0);
    }
}


static void
test_line(void)
{
    u_char     buf[64];
    ngx_str_t  s = ngx_string("{\"a\":\t\"\xc3\xa4\r\n\"}");

    CHECK_MEM(buf, (size_t) (ngx_egress_text_line(buf, &s) - buf),
              "{\"a\":\t\"\xc3\xa4\\x0D\\x0A\"}", 19);
}


static unit_test_t  tests[] = {
    { "printable text stays as it is", test_plain },
    { "everything else is escaped", test_escaped },
    { "long text is cut", test_long },
    { "a line keeps its tabs, quotes and UTF-8", test_line },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
