/* link: ../ngx_ws_proxy_module/ngx_ws_watch.c -lz */
/* link: ../ngx_ws_proxy_module/ngx_ws_inflate.c */
/* link: ../ngx_ws_proxy_module/ngx_ws_frame.c */
/* link: ../ngx_ws_proxy_module/ngx_ws_utf8.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * Message sizes, compressed and not, text, and what is held back.
 */


#include "unit.h"

#include <ngx_ws_watch.h>


static size_t
server_frame(u_char *p, ngx_uint_t first, const void *data, size_t len)
{
    u_char  *start;

    start = p;
    *p++ = (u_char) first;

    if (len < 126) {
        *p++ = (u_char) len;

    } else {
        *p++ = 126;
        *p++ = (u_char) (len >> 8);
        *p++ = (u_char) len;
    }

    memcpy(p, data, len);

    return p + len - start;
}


/* feeds pieces of n bytes, returns the verdict that ended it */

static ngx_ws_verdict_e
feed_watch(ngx_ws_watch_t *w, u_char *data, size_t len, size_t n)
{
    u_char            *p, *last, *end;
    ngx_ws_verdict_e   v;

    v = NGX_WS_WATCH_MORE;
    p = data;
    end = data + len;

    while (p < end) {
        last = (size_t) (end - p) < n ? end : p + n;

        do {
            w->budget = NGX_WS_INFLATE_BUDGET;
            v = ngx_ws_watch(w, &p, last);

            if (v == NGX_WS_WATCH_BAD) {
                return v;
            }

        } while (v != NGX_WS_WATCH_MORE);
    }

    return v;
}


static void
test_sizes(void)
{
    size_t          n, len;
    u_char          buf[64];
    ngx_ws_watch_t  w;

    for (n = 1; n < 20; n++) {

        memset(&w, 0, sizeof(w));
        w.limit = 10;

        len = server_frame(buf, 0x82, "0123456789", 10);
        len += server_frame(buf + len, 0x01, "01234", 5);
        len += server_frame(buf + len, 0x89, "ping", 4);
        len += server_frame(buf + len, 0x80, "56789", 5);

        CHECK_INT(feed_watch(&w, buf, len, n), NGX_WS_WATCH_MORE);
        CHECK_INT(w.messages, 2);
        CHECK_INT(w.bytes, 20);
        CHECK_INT(w.largest, 10);
        CHECK_INT(w.held, 0);

        len = server_frame(buf, 0x01, "01234", 5);
        len += server_frame(buf + len, 0x80, "567890", 6);

        CHECK_INT(feed_watch(&w, buf, len, n), NGX_WS_WATCH_BAD);
        CHECK_INT(w.close, 1009);
        CHECK_INT(w.messages, 2);
        CHECK_INT(w.held, 2);
    }
}


static void
test_overflow(void)
{
    u_char          *p;
    ngx_ws_watch_t   w;

    static u_char  frames[] = "\x02\x05" "12345"
                              "\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";

    memset(&w, 0, sizeof(w));
    w.limit = 100;
    p = frames;
    CHECK_INT(ngx_ws_watch(&w, &p, frames + 17), NGX_WS_WATCH_BAD);
    CHECK_INT(w.close, 1009);
}


static void
test_held(void)
{
    u_char          *p;
    ngx_ws_watch_t   w;

    static u_char  data[] = "\x82\x7e\x01\x00xyz";
    static u_char  ping[] = "\x89\x03" "abc";
    static u_char  text[] = "\x81\x03" "a\xc3\xa9";

    memset(&w, 0, sizeof(w));
    p = data;
    CHECK_INT(ngx_ws_watch(&w, &p, data + 3), NGX_WS_WATCH_MORE);
    CHECK_INT(w.held, 3);
    CHECK(ngx_ws_watch_between(&w));
    CHECK_INT(ngx_ws_watch(&w, &p, data + 5), NGX_WS_WATCH_MORE);
    CHECK_INT(w.held, 0);
    CHECK(!ngx_ws_watch_between(&w));

    /* control frames whole */

    memset(&w, 0, sizeof(w));
    p = ping;
    CHECK_INT(ngx_ws_watch(&w, &p, ping + 4), NGX_WS_WATCH_MORE);
    CHECK_INT(w.held, 4);
    CHECK(ngx_ws_watch_between(&w));
    CHECK_INT(ngx_ws_watch(&w, &p, ping + 5), NGX_WS_WATCH_CONTROL);
    CHECK_INT(w.held, 0);
    CHECK_INT(w.control_size, 5);

    /* text only if it is looked at */

    memset(&w, 0, sizeof(w));
    p = text;
    CHECK_INT(ngx_ws_watch(&w, &p, text + 4), NGX_WS_WATCH_MORE);
    CHECK_INT(w.held, 0);

    memset(&w, 0, sizeof(w));
    w.text = 1;
    p = text;
    CHECK_INT(ngx_ws_watch(&w, &p, text + 4), NGX_WS_WATCH_MORE);
    CHECK_INT(w.held, 4);
    CHECK_INT(ngx_ws_watch(&w, &p, text + 5), NGX_WS_WATCH_MORE);
    CHECK_INT(w.held, 0);
}


static void
test_stop(void)
{
    size_t           len;
    u_char          *p, buf[64];
    ngx_ws_watch_t   w;

    memset(&w, 0, sizeof(w));
    w.stop = 1;

    len = server_frame(buf, 0x02, "abc", 3);
    len += server_frame(buf + len, 0x80, "def", 3);
    p = buf;

    CHECK_INT(ngx_ws_watch(&w, &p, buf + len), NGX_WS_WATCH_STOP);
    CHECK_INT(p - buf, 5);
}


static void
test_text(void)
{
    size_t          n, len;
    u_char          buf[64];
    ngx_ws_watch_t  w;

    for (n = 1; n < 12; n++) {
        memset(&w, 0, sizeof(w));
        w.text = 1;

        len = server_frame(buf, 0x01, "caf\xc3", 4);
        len += server_frame(buf + len, 0x80, "\xa9", 1);
        len += server_frame(buf + len, 0x82, "\xff", 1);
        CHECK_INT(feed_watch(&w, buf, len, n), NGX_WS_WATCH_MORE);

        len = server_frame(buf, 0x81, "caf\xc3", 4);
        CHECK_INT(feed_watch(&w, buf, len, n), NGX_WS_WATCH_BAD);
        CHECK_INT(w.close, 1007);
    }
}


static size_t
pack(z_stream *zs, u_char *dst, size_t size, const u_char *src, size_t len)
{
    zs->next_in = (u_char *) src;
    zs->avail_in = len;
    zs->next_out = dst;
    zs->avail_out = size;

    CHECK_INT(deflate(zs, Z_SYNC_FLUSH), Z_OK);

    return size - zs->avail_out - 4;
}


static void
test_inflate(void)
{
    size_t             n, len, size;
    u_char            *text;
    z_stream           zs;
    ngx_uint_t         i;
    ngx_ws_watch_t     w;
    ngx_ws_inflate_t   inf;

    static u_char  packed[4096], buf[8192];

    text = calloc(1, 200000);

    for (n = 1; n < 3000; n = n * 3 + 1) {
        memset(&w, 0, sizeof(w));
        memset(&inf, 0, sizeof(inf));
        memset(&zs, 0, sizeof(zs));

        inf.takeover = 1;
        w.inflate = &inf;
        w.frame.rsv1 = 1;
        w.frame.slice = NGX_WS_INFLATE_SLICE;
        w.limit = 150000;

        deflateInit2(&zs, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);

        for (i = 0; i < 3; i++) {
            size = pack(&zs, packed, sizeof(packed), text, 150000);
            len = server_frame(buf, 0x42, packed, size / 2);
            len += server_frame(buf + len, 0x80, packed + size / 2,
                                size - size / 2);

            CHECK_INT(feed_watch(&w, buf, len, n), NGX_WS_WATCH_MORE);
        }

        CHECK_INT(w.messages, 3);
        CHECK_INT(w.bytes, 450000);

        size = pack(&zs, packed, sizeof(packed), text, 150001);
        len = server_frame(buf, 0xc2, packed, size);
        CHECK_INT(feed_watch(&w, buf, len, n), NGX_WS_WATCH_BAD);
        CHECK_INT(w.close, 1009);
        CHECK(w.held > 0);

        deflateEnd(&zs);
        ngx_ws_inflate_done(&inf);
        ngx_ws_inflate_done(&inf);
    }

    free(text);
}


static void
test_budget(void)
{
    size_t             len, size;
    u_char            *p, *text;
    z_stream           zs;
    ngx_uint_t         busy;
    ngx_ws_watch_t     w;
    ngx_ws_inflate_t   inf;
    ngx_ws_verdict_e   v;

    static u_char  packed[65536], buf[65536];

    text = calloc(1, 16 << 20);

    memset(&w, 0, sizeof(w));
    memset(&inf, 0, sizeof(inf));
    memset(&zs, 0, sizeof(zs));

    w.inflate = &inf;
    w.text = 1;
    w.frame.rsv1 = 1;
    w.frame.slice = NGX_WS_INFLATE_SLICE;

    deflateInit2(&zs, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    size = pack(&zs, packed, sizeof(packed), text, 16 << 20);
    len = server_frame(buf, 0xc1, packed, size);

    p = buf;
    busy = 0;

    do {
        w.budget = NGX_WS_INFLATE_BUDGET;
        v = ngx_ws_watch(&w, &p, buf + len);
        busy += (v == NGX_WS_WATCH_BUSY);
    } while (v == NGX_WS_WATCH_BUSY);

    CHECK_INT(v, NGX_WS_WATCH_MORE);
    CHECK(busy >= 8);
    CHECK_INT(w.bytes, 16 << 20);
    CHECK(!inf.open);

    deflateEnd(&zs);
    ngx_ws_inflate_done(&inf);
    free(text);
}


/* what the owner makes of NGX_WS_WATCH_SPLIT, and what it may forward */

static size_t
forward(ngx_ws_watch_t *w, u_char *out, const u_char *in, size_t len, size_t n,
    ngx_ws_verdict_e *verdict)
{
    u_char  *p, *pos, *end;
    size_t   size, at;

    end = out;
    pos = out;

    for (at = 0; at < len; at += size) {
        size = len - at < n ? len - at : n;
        memcpy(end, in + at, size);
        end += size;

        do {
            w->budget = NGX_WS_INFLATE_BUDGET;
            *verdict = ngx_ws_watch(w, &pos, end);

            if (*verdict == NGX_WS_WATCH_SPLIT) {
                p = pos - w->replace;
                memmove(p + w->header_len, pos, end - pos);
                memcpy(p, w->header, w->header_len);
                end = p + w->header_len + (end - pos);
                pos = p + w->header_len;
            }

            CHECK(w->held <= NGX_WS_HOLD_MAX + NGX_WS_HEADER_MAX);
            CHECK(ngx_ws_watch_between(w));

            if (*verdict == NGX_WS_WATCH_BAD) {
                return pos - w->held - out;
            }

        } while (*verdict != NGX_WS_WATCH_MORE);
    }

    return pos - w->held - out;
}


static void
test_fragments(void)
{
    size_t             i, n, len;
    u_char            *in, *out, *want, *p;
    ngx_ws_watch_t     w;
    ngx_ws_verdict_e   v;

    static u_char  header[] = "\x01\xff\0\0\0\0\0\x01\0\x01" "mask";

    in = calloc(1, 70000);
    out = calloc(1, 140000);
    want = calloc(1, 70000);

    len = sizeof(header) - 1;
    memcpy(in, header, len);

    for (i = 0; i < 65537; i++) {
        in[len + i] = (u_char) ('a' + i % 26) ^ header[10 + i % 4];
    }

    len += i;

    /* two of 32k and one of a byte, none with FIN; then the last frame */

    memcpy(in + len, "\x80\x80mask", 6);
    len += 6;

    p = want;
    p = (u_char *) memcpy(p, "\x01\xfe\x80\0mask", 8) + 8;
    p = (u_char *) memcpy(p, in + 14, 32768) + 32768;
    p = (u_char *) memcpy(p, "\0\xfe\x80\0mask", 8) + 8;
    p = (u_char *) memcpy(p, in + 14 + 32768, 32768) + 32768;
    p = (u_char *) memcpy(p, "\0\x81mask", 6) + 6;
    *p++ = in[14 + 65536];
    p = (u_char *) memcpy(p, "\x80\x80mask", 6) + 6;

    for (n = 1; n <= 131072; n = n * 2 + n % 3) {
        memset(&w, 0, sizeof(w));
        w.text = 1;
        w.frame.masked = 1;

        CHECK_INT(forward(&w, out, in, len, n, &v), (size_t) (p - want));
        CHECK(memcmp(out, want, p - want) == 0);
        CHECK_INT(v, NGX_WS_WATCH_MORE);
        CHECK_INT(w.messages, 1);
        CHECK_INT(w.bytes, 65537);
    }

    /* a byte in the second fragment that is no UTF-8 */

    in[14 + 40000] ^= 0x80;

    for (n = 1; n <= 131072; n = n * 2 + n % 3) {
        memset(&w, 0, sizeof(w));
        w.text = 1;
        w.frame.masked = 1;

        CHECK_INT(forward(&w, out, in, len, n, &v), 8 + 32768);
        CHECK_INT(v, NGX_WS_WATCH_BAD);
        CHECK_INT(w.close, 1007);
    }

    free(in);
    free(out);
    free(want);
}


static unit_test_t  tests[] = {
    { "a message is the sum of its fragments", test_sizes },
    { "sizes do not overflow", test_overflow },
    { "what is held back", test_held },
    { "a stop at the end of a frame", test_stop },
    { "text in any split", test_text },
    { "inflated sizes", test_inflate },
    { "inflating yields", test_budget },
    { "long frames become fragments", test_fragments },
};


int
main(void)
{
    return UNIT_RUN(tests);
}
