/* link: proto/ngx_egress_hello.c */

/*
 * Copyright (C) ngx_egress authors
 */


#include "unit.h"
#include "feed.h"
#include "hello_builder.h"

#include "proto/ngx_egress_hello.h"


#define SNI   "\0\0\0\20\0\16\0\0\013example.net"
#define ALPN  "\0\20\0\16\0\14\2h2\10http/1.1"
#define ECH   "\xfe\x0d\0\2ab"
#define KEY   "\0\63\0\3abc"

#define HELLO(exts, record)  hello(exts, sizeof(exts) - 1, record)

#define BAD(exts, e)                                                          \
    CHECK_INT(HELLO(exts, 16384), NGX_ERROR);                                 \
    CHECK_INT(st.error, NGX_EGRESS_HELLO_##e);                                \
    CHECK_INT(st.sni.len, 0)

#define RAW(s, e)                                                             \
    CHECK_INT(raw(s, sizeof(s) - 1), NGX_ERROR);                              \
    CHECK_INT(st.error, NGX_EGRESS_HELLO_##e)


static ngx_egress_hello_t  st;


static ngx_int_t
reader(void *data, u_char **pos, u_char *last)
{
    return ngx_egress_hello(data, pos, last);
}


/* the same answer at any split */

static ngx_int_t
raw(const void *in, size_t len)
{
    size_t     used, whole;
    unsigned   mode;
    ngx_int_t  rc, want;

    memset(&st, 0, sizeof(st));
    want = feed(reader, &st, in, len, FEED_WHOLE, &whole);

    for (mode = 1; mode < FEED_MODES; mode++) {
        memset(&st, 0, sizeof(st));
        rc = feed(reader, &st, in, len, mode, &used);
        CHECK_INT(rc, want);
        CHECK_INT(used, whole);
    }

    return want;
}


static ngx_int_t
hello(const char *exts, size_t len, size_t record)
{
    size_t         n;
    static u_char  message[65536], records[6 * 65536];

    n = hello_message(message, exts, len) - message;
    n = hello_records(records, message, n, record) - records;

    return raw(records, n);
}


static void
test_found(void)
{
    size_t  record;

    for (record = 1; record < 300; record = record * 2 + 1) {
        CHECK_INT(HELLO(KEY SNI ALPN ECH, record), NGX_OK);
        CHECK_STR(st.sni, "example.net");
        CHECK(st.alpn && st.alpn_h2 && st.alpn_http1);
        CHECK(st.ech);
    }

    CHECK_INT(HELLO(KEY SNI, 16384), NGX_OK);
    CHECK_STR(st.sni, "example.net");
    CHECK(!st.alpn && !st.alpn_h2 && !st.alpn_http1 && !st.ech);
}


static void
test_absent(void)
{
    CHECK_INT(HELLO(KEY, 16384), NGX_OK);
    CHECK_INT(st.sni.len, 0);
    CHECK_INT(HELLO("", 16384), NGX_OK);
    CHECK_INT(st.sni.len, 0);
    CHECK_INT(hello(NULL, 0, 16384), NGX_OK);
    CHECK_INT(st.sni.len, 0);
    CHECK_INT(HELLO("\0\27\0\0\xff\1\0\1\0", 16384), NGX_OK);
    CHECK_INT(HELLO("\0\20\0\5\0\3\2h3", 16384), NGX_OK);
    CHECK(st.alpn && !st.alpn_h2 && !st.alpn_http1);
}


static void
test_bad_extensions(void)
{
    BAD("\0\0\0\0", BAD_SNI);
    BAD("\0\0\0\2\0\0", BAD_SNI);
    BAD("\0\0\0\5\0\3\0\0\0", BAD_SNI);
    BAD("\0\0\0\6\0\4\1\0\1a", BAD_SNI);
    BAD("\0\0\0\6\0\5\0\0\1a", BAD_SNI);
    BAD("\0\0\0\6\0\4\0\0\2a", BAD_SNI);
    BAD("\0\0\0\12\0\10\0\0\1a\0\0\1b", BAD_SNI);
    BAD(SNI SNI, DUPLICATE);
    BAD(SNI ALPN ALPN, DUPLICATE);
    BAD(ECH SNI ECH, DUPLICATE);
    BAD("\0\20\0\0", BAD_ALPN);
    BAD("\0\20\0\2\0\0", BAD_ALPN);
    BAD("\0\20\0\3\0\1\0", BAD_ALPN);
    BAD("\0\20\0\5\0\3\3h2", BAD_ALPN);
    BAD("\0\20\0\5\0\4\2h2", BAD_ALPN);
    BAD("\0", MALFORMED);
    BAD("\0\63\0", MALFORMED);
    BAD("\0\63\0\2a", MALFORMED);
    BAD(SNI "\0", MALFORMED);
}


static void
test_long_names(void)
{
    char  exts[9 + 256] = "\0\0\1\4\1\2\0\0\377";

    memset(exts + 9, 'a', 256);
    CHECK_INT(hello(exts, 9 + 255, 100), NGX_OK);
    CHECK_INT(st.sni.len, 255);

    memcpy(exts, "\0\0\1\5\1\3\0\1\0", 9);
    CHECK_INT(hello(exts, 9 + 256, 100), NGX_ERROR);
    CHECK_INT(st.error, NGX_EGRESS_HELLO_BAD_SNI);
}


/* a key share of post-quantum size, in front of the name */

static void
test_large(void)
{
    static char  exts[12000];

    memcpy(exts, "\0\63\x27\x10", 4);
    memcpy(exts + 4 + 10000, SNI, sizeof(SNI) - 1);

    CHECK_INT(hello(exts, 4 + 10000 + sizeof(SNI) - 1, 1200), NGX_OK);
    CHECK_STR(st.sni, "example.net");

    memcpy(exts, "\0\20", 2);
    CHECK_INT(hello(exts, 4 + 10000 + sizeof(SNI) - 1, 1200), NGX_OK);
    CHECK_STR(st.sni, "example.net");
    CHECK(st.alpn);
}


static void
test_bad_records(void)
{
    RAW("\x17", NOT_TLS);
    RAW("GET", NOT_TLS);
    RAW("\x16\2", NOT_TLS);
    RAW("\x16\3\5", NOT_TLS);
    RAW("\x16\3\1\0\0", EMPTY_RECORD);
    RAW("\x16\3\1\0\1\1\x16\3\1\0\0", EMPTY_RECORD);
    RAW("\x16\3\1\0\1\1\x17", NOT_TLS);
    RAW("\x16\3\1\x40\1", LONG_RECORD);
    RAW("\x16\3\1\0\4\2", NOT_HELLO);
    RAW("\x16\3\1\0\4\1\0\0\x21", MALFORMED);
    RAW("\x16\3\1\0\4\1\xff\xff\xff", TOO_LONG);
}


static void
test_bad_fields(void)
{
    u_char  message[256], records[300];
    size_t  n;

#define PATCH(at, byte, e)                                                    \
    n = hello_message(message, KEY, sizeof(KEY) - 1) - message;               \
    message[at] = byte;                                                       \
    n = hello_records(records, message, n, 16384) - records;                  \
    CHECK_INT(raw(records, n), NGX_ERROR);                                    \
    CHECK_INT(st.error, NGX_EGRESS_HELLO_##e)

    PATCH(38, 33, MALFORMED);         /* session id */
    PATCH(72, 3, MALFORMED);          /* odd list of ciphers */
    PATCH(72, 0, MALFORMED);          /* no cipher */
    PATCH(71, 0xff, MALFORMED);       /* ciphers beyond the message */
    PATCH(77, 0, MALFORMED);          /* no compression method */
    PATCH(80, 6, MALFORMED);          /* extensions end early */
    PATCH(80, 8, MALFORMED);          /* extensions end late */
    PATCH(84, 4, MALFORMED);          /* extension beyond the list */
}


static void
test_bounded(void)
{
    size_t  n, used;
    u_char  message[256], records[300];

    n = hello_message(message, SNI, sizeof(SNI) - 1) - message;
    n = hello_records(records, message, n, 16384) - records;

    memset(&st, 0, sizeof(st));
    st.max = n;
    CHECK_INT(feed(reader, &st, records, n, 1, &used), NGX_OK);

    memset(&st, 0, sizeof(st));
    st.max = n - 1;
    CHECK_INT(feed(reader, &st, records, n, 1, &used), NGX_ERROR);
    CHECK_INT(st.error, NGX_EGRESS_HELLO_TOO_LONG);
}


static void
test_partial(void)
{
    size_t  i, n, used;
    u_char  message[256], records[300];

    n = hello_message(message, SNI, sizeof(SNI) - 1) - message;
    n = hello_records(records, message, n, 50) - records;

    for (i = 0; i < n; i++) {
        memset(&st, 0, sizeof(st));
        CHECK_INT(feed(reader, &st, records, i, 0, &used), NGX_AGAIN);
    }
}


static void
test_errors_have_text(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_HELLO_ERRORS; i++) {
        CHECK(ngx_egress_hello_strerror(i) != NULL);
        CHECK(strcmp(ngx_egress_hello_strerror(i), "unknown error") != 0);
    }

    CHECK(strcmp(ngx_egress_hello_strerror(i), "unknown error") == 0);
}


static unit_test_t  tests[] = {
    { "name, ALPN and ECH are found in any number of records", test_found },
    { "what is not there is not found", test_absent },
    { "malformed and repeated extensions are refused", test_bad_extensions },
    { "a name has at most 255 bytes", test_long_names },
    { "large extensions are passed over", test_large },
    { "malformed and empty records are refused", test_bad_records },
    { "lengths that do not fit are refused", test_bad_fields },
    { "a hello has a maximum size", test_bounded },
    { "an incomplete hello asks for more", test_partial },
    { "every error has a text", test_errors_have_text },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
