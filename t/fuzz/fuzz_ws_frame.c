/* link: ../ngx_ws_proxy_module/ngx_ws_watch.c -lz */
/* link: ../ngx_ws_proxy_module/ngx_ws_inflate.c */
/* link: ../ngx_ws_proxy_module/ngx_ws_frame.c */
/* link: ../ngx_ws_proxy_module/ngx_ws_utf8.c */

/*
 * Copyright (C) ngx_egress authors
 *
 * WebSocket frames: in any split the same frames are seen, the same bytes may
 * be forwarded, and the same violation ends it.
 */


#include "fuzz.h"

#include <ngx_ws_watch.h>


typedef struct {
    uint64_t            messages;
    uint64_t            bytes;
    uint64_t            largest;
    uint64_t            controls;
    uint64_t            committed;      /* bytes that may be forwarded */
    ngx_uint_t          close;
    const char         *error;
} fuzz_ws_t;


static void
fuzz_ws_commit(fuzz_ws_t *st, ngx_ws_watch_t *w, size_t seen)
{
    FUZZ_ASSERT(w->held <= seen);
    FUZZ_ASSERT(w->held <= NGX_WS_HOLD_MAX + NGX_WS_HEADER_MAX);
    FUZZ_ASSERT(seen - w->held >= st->committed);

    st->committed = seen - w->held;
}


static void
fuzz_ws_run(fuzz_ws_t *st, u_char options, const uint8_t *data, size_t len,
    unsigned mode)
{
    size_t              at, n, put, cut;
    u_char             *piece, *pos;
    unsigned            seed;
    ngx_ws_watch_t      w;
    ngx_ws_inflate_t    inf;
    ngx_ws_verdict_e    v;

    memset(st, 0, sizeof(fuzz_ws_t));
    memset(&w, 0, sizeof(w));
    memset(&inf, 0, sizeof(inf));

    w.frame.masked = options & 1;
    w.text = (options & 2) ? 1 : 0;
    w.frame.any_rsv = (options & 4) ? 1 : 0;
    w.limit = (options & 8) ? 1000 : 0;

    if ((options & 16) && !w.frame.any_rsv) {
        inf.takeover = (options & 8) ? 1 : 0;
        w.inflate = &inf;
        w.frame.rsv1 = 1;
        w.frame.slice = NGX_WS_INFLATE_SLICE;
    }

    seed = mode;
    v = NGX_WS_WATCH_MORE;
    put = 0;
    cut = 0;

    for (at = 0; at < len && v != NGX_WS_WATCH_BAD; at += n) {

        n = feed_piece(mode, &seed, len - at);
        piece = malloc(n);
        memcpy(piece, data + at, n);
        pos = piece;

        do {
            w.budget = NGX_WS_INFLATE_BUDGET;
            v = ngx_ws_watch(&w, &pos, piece + n);

            FUZZ_ASSERT(pos <= piece + n);

            if (v == NGX_WS_WATCH_SPLIT) {
                FUZZ_ASSERT(w.replace <= at + (pos - piece) + put - cut);
                put += w.header_len;
                cut += w.replace;
            }

            if (v == NGX_WS_WATCH_CONTROL) {
                st->controls++;
                FUZZ_ASSERT(w.held == 0);
            }

            /* what was committed before a violation depends on the split */

            if (v != NGX_WS_WATCH_BAD) {
                fuzz_ws_commit(st, &w, at + (pos - piece) + put - cut);
            }

        } while (v != NGX_WS_WATCH_MORE && v != NGX_WS_WATCH_BAD);

        FUZZ_ASSERT(v == NGX_WS_WATCH_BAD || pos == piece + n);

        free(piece);
    }

    if (v == NGX_WS_WATCH_BAD) {
        st->close = w.close;
        st->error = w.error;
        st->committed = 0;
        FUZZ_ASSERT(st->error != NULL);
        FUZZ_ASSERT(st->close == 1002 || st->close == 1007
                    || st->close == 1009);
    }

    st->messages = w.messages;
    st->bytes = w.bytes;
    st->largest = w.largest;

    ngx_ws_inflate_done(&inf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned    mode;
    fuzz_ws_t   want, got;

    if (len == 0) {
        return 0;
    }

    memset(&want, 0, sizeof(want));
    memset(&got, 0, sizeof(got));

    fuzz_ws_run(&want, data[0], data + 1, len - 1, FEED_WHOLE);

    for (mode = FEED_BYTES; mode < 5; mode++) {
        fuzz_ws_run(&got, data[0], data + 1, len - 1, mode);
        FUZZ_ASSERT(memcmp(&want, &got, sizeof(got)) == 0);
    }

    return 0;
}
