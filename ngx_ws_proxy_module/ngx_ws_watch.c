
/*
 * Copyright (C) ngx_egress authors
 *
 * Watches one direction of a WebSocket connection: message sizes, inflated if
 * need be, and the text, on top of the framing.
 */


#include <ngx_ws_watch.h>


#define NGX_WS_WATCH_UNMASK  2048


static ngx_int_t ngx_ws_watch_header(ngx_ws_watch_t *w);
static ngx_int_t ngx_ws_watch_fragment(ngx_ws_watch_t *w);
static ngx_int_t ngx_ws_watch_payload(ngx_ws_watch_t *w);
static ngx_int_t ngx_ws_watch_chunk(ngx_ws_watch_t *w);
static ngx_int_t ngx_ws_watch_end(ngx_ws_watch_t *w);
static ngx_int_t ngx_ws_watch_inspect(ngx_ws_watch_t *w, u_char *p,
    size_t len);
static ngx_int_t ngx_ws_watch_inflated(void *data, u_char *p, size_t len);
static ngx_int_t ngx_ws_watch_text(ngx_ws_watch_t *w, u_char *p, size_t len);
static ngx_int_t ngx_ws_watch_fail(ngx_ws_watch_t *w, ngx_uint_t code,
    const char *error);


#define ngx_ws_watch_inspects(w)                                              \
    (!(w)->blind                                                              \
     && (((w)->inflate && (w)->frame.compressed)                              \
         || ((w)->text && (w)->is_text && !(w)->frame.compressed)))


ngx_ws_verdict_e
ngx_ws_watch(ngx_ws_watch_t *w, u_char **pos, u_char *last)
{
    u_char          *p;
    ngx_int_t        rc;
    ngx_uint_t       hold;
    ngx_ws_event_e   event;

    for ( ;; ) {

        /* headers are held until they are complete */

        hold = w->hold || ngx_ws_frame_between(&w->frame);

        p = *pos;
        event = ngx_ws_frame_parse(&w->frame, pos, last);

        if (hold) {
            w->held += *pos - p;
        }

        switch (event) {

        case NGX_WS_HEADER:
            rc = ngx_ws_watch_header(w);
            break;

        case NGX_WS_PAYLOAD:
            rc = ngx_ws_watch_payload(w);
            break;

        case NGX_WS_END:
            rc = ngx_ws_watch_end(w);

            if (rc == NGX_DONE) {
                return NGX_WS_WATCH_CONTROL;
            }

            if (rc == NGX_OK && w->stop) {
                return NGX_WS_WATCH_STOP;
            }

            break;

        case NGX_WS_BAD:
            w->close = w->frame.close;
            w->error = w->frame.error;
            return NGX_WS_WATCH_BAD;

        default: /* NGX_WS_AGAIN */
            return NGX_WS_WATCH_MORE;
        }

        if (rc == NGX_AGAIN) {
            return NGX_WS_WATCH_SPLIT;
        }

        if (rc != NGX_OK) {
            return NGX_WS_WATCH_BAD;
        }

        if (w->inflate && !w->blind && w->budget == 0) {
            return NGX_WS_WATCH_BUSY;
        }
    }
}


static ngx_int_t
ngx_ws_watch_header(ngx_ws_watch_t *w)
{
    ngx_ws_frame_t  *f;

    f = &w->frame;

    if (f->control) {
        w->hold = 1;
        return NGX_OK;
    }

    if (w->blind) {
        w->held = 0;
        return NGX_OK;
    }

    if (f->first) {
        w->size = 0;
        w->is_text = (f->opcode == NGX_WS_TEXT);
        ngx_ws_utf8_init(&w->utf8);
    }

    if (w->inflate == NULL || !f->compressed) {

        if (w->limit && (f->length > w->limit
                         || w->size > w->limit - f->length))
        {
            return ngx_ws_watch_fail(w, NGX_WS_CLOSE_TOO_BIG,
                                     "message is too big");
        }

        w->size += f->length;
    }

    if (!ngx_ws_watch_inspects(w)) {
        w->held = 0;
        return NGX_OK;
    }

    w->hold = 1;

    if (f->length > NGX_WS_HOLD_MAX) {
        w->replace = w->held;
        return ngx_ws_watch_fragment(w);
    }

    return NGX_OK;
}


/* the next fragment of a long frame, its header in place of w->replace bytes */

static ngx_int_t
ngx_ws_watch_fragment(ngx_ws_watch_t *w)
{
    u_char          *p;
    ngx_uint_t       first;
    ngx_ws_frame_t  *f;

    f = &w->frame;

    if (w->split) {
        first = NGX_WS_CONTINUATION;

    } else {
        first = f->opcode | ((f->first && f->compressed) ? NGX_WS_RSV1 : 0);
    }

    w->split = 1;
    f->piece = (size_t) ngx_min(f->left, NGX_WS_PIECE);

    if (f->fin && f->piece == f->left) {
        first |= NGX_WS_FIN;
    }

    p = ngx_ws_frame_header(w->header, first, f->piece,
                            f->masked ? f->mask : NULL);

    w->header_len = p - w->header;
    w->held = w->header_len;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_ws_watch_payload(ngx_ws_watch_t *w)
{
    ngx_ws_frame_t  *f;

    f = &w->frame;

    if (f->control || !ngx_ws_watch_inspects(w)) {
        return NGX_OK;
    }

    if (ngx_ws_watch_chunk(w) != NGX_OK) {
        return NGX_ERROR;
    }

    if (w->split && f->piece == 0 && f->left) {
        w->replace = 0;
        return ngx_ws_watch_fragment(w);
    }

    return NGX_OK;
}


/* as much as there is of the payload, unmasked if need be */

static ngx_int_t
ngx_ws_watch_chunk(ngx_ws_watch_t *w)
{
    u_char          *p;
    size_t           len, size;
    ngx_uint_t       phase;
    ngx_ws_frame_t  *f;

    u_char  buf[NGX_WS_WATCH_UNMASK];

    f = &w->frame;

    if (!f->masked) {
        return ngx_ws_watch_inspect(w, f->chunk.data, f->chunk.len);
    }

    p = f->chunk.data;
    phase = f->phase;

    for (len = f->chunk.len; len; len -= size) {

        size = ngx_min(len, sizeof(buf));
        phase = ngx_ws_unmask(buf, p, size, f->mask, phase);
        p += size;

        if (ngx_ws_watch_inspect(w, buf, size) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_watch_end(ngx_ws_watch_t *w)
{
    ngx_ws_frame_t  *f;

    f = &w->frame;

    if (f->control) {
        w->hold = 0;
        w->control_size = w->held;
        w->held = 0;
        return NGX_DONE;
    }

    if (f->last && !w->blind) {

        if (w->inflate && f->compressed
            && ngx_ws_watch_inspect(w, NULL, 0) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (w->text && w->is_text && (w->inflate || !f->compressed)
            && !ngx_ws_utf8_complete(&w->utf8))
        {
            return ngx_ws_watch_fail(w, NGX_WS_CLOSE_INVALID,
                                     "text is not utf-8");
        }

        w->messages++;
        w->bytes += w->size;
        w->largest = ngx_max(w->largest, w->size);
    }

    w->hold = 0;
    w->held = 0;
    w->split = 0;

    return NGX_OK;
}


/* len 0: the end of a compressed message */

static ngx_int_t
ngx_ws_watch_inspect(ngx_ws_watch_t *w, u_char *p, size_t len)
{
    ngx_int_t  rc;

    if (!w->frame.compressed) {
        return ngx_ws_watch_text(w, p, len);
    }

    w->inflate->handler = ngx_ws_watch_inflated;
    w->inflate->data = w;

    rc = len ? ngx_ws_inflate_chunk(w->inflate, p, len)
             : ngx_ws_inflate_finish(w->inflate);

    if (rc == NGX_DECLINED) {
        return ngx_ws_watch_fail(w, NGX_WS_CLOSE_INVALID,
                                 "message cannot be inflated");
    }

    if (rc == NGX_ERROR && w->error == NULL) {
        return ngx_ws_watch_fail(w, 1011, "no memory to inflate");
    }

    return rc;
}


static ngx_int_t
ngx_ws_watch_inflated(void *data, u_char *p, size_t len)
{
    ngx_ws_watch_t *w = data;

    size_t  n;

    w->budget -= ngx_min(w->budget, len);

    n = len;

    if (w->limit && n > w->limit - w->size) {
        n = (size_t) (w->limit - w->size);
    }

    /* text up to the limit first: the same answer for any split */

    if (w->text && w->is_text && ngx_ws_watch_text(w, p, n) != NGX_OK) {
        return NGX_ERROR;
    }

    w->size += n;

    if (n < len) {
        return ngx_ws_watch_fail(w, NGX_WS_CLOSE_TOO_BIG,
                                 "inflated message is too big");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_watch_text(ngx_ws_watch_t *w, u_char *p, size_t len)
{
    if (ngx_ws_utf8_check(&w->utf8, p, len) != NGX_OK) {
        return ngx_ws_watch_fail(w, NGX_WS_CLOSE_INVALID,
                                 "text is not utf-8");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_watch_fail(ngx_ws_watch_t *w, ngx_uint_t code, const char *error)
{
    w->close = code;
    w->error = error;

    return NGX_ERROR;
}
