
/*
 * Copyright (C) ngx_egress authors
 *
 * Watches one direction of a WebSocket connection as its bytes pass: framing
 * (ngx_ws_frame.h), message sizes across fragments, compressed or not, and the
 * text.  It decides how far the bytes may go; it does not move them and knows
 * no connection.
 *
 * The owner keeps all bytes in one piece of memory in the order they came and
 * calls ngx_ws_watch() for the new ones.  Of the bytes consumed so far the
 * last w->held must not be forwarded yet: they are an incomplete header, or
 * the beginning of a frame whose end may still be refused.  So the other side
 * never gets part of a control frame or of an inspected frame, and can be sent
 * a Close frame instead.
 *
 * An inspected frame of more than NGX_WS_HOLD_MAX bytes becomes fragments of
 * NGX_WS_PIECE bytes, each of which is held: NGX_WS_WATCH_SPLIT asks the owner
 * to put their headers in.  RFC 6455, 5.4, lets an intermediary do that which
 * knows all extensions in use; without them, or without inspection, a frame
 * stays what it is.
 */


#ifndef _NGX_WS_WATCH_H_INCLUDED_
#define _NGX_WS_WATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_ws_frame.h>
#include <ngx_ws_utf8.h>
#include <ngx_ws_inflate.h>


#define NGX_WS_HOLD_MAX             65536

/* a multiple of 4: each fragment has the mask of the frame */
#define NGX_WS_PIECE                32768

/* inflated bytes in one pass; the owner yields to others in between */
#define NGX_WS_INFLATE_BUDGET       (1024 * 1024)

/* compressed bytes that are inflated without asking for the budget */
#define NGX_WS_INFLATE_SLICE        1024


typedef enum {
    NGX_WS_WATCH_MORE = 0,          /* all input is consumed */
    NGX_WS_WATCH_CONTROL,           /* a control frame has been consumed: */
                                    /* its w->control_size bytes are the */
                                    /* last ones, and no longer held */
    NGX_WS_WATCH_SPLIT,             /* the last w->replace bytes consumed */
                                    /* have to become the w->header_len */
                                    /* bytes of w->header, held like them */
    NGX_WS_WATCH_STOP,              /* w->stop, and a frame has ended */
    NGX_WS_WATCH_BUSY,              /* w->budget is used up */
    NGX_WS_WATCH_BAD                /* violation: w->close and w->error */
} ngx_ws_verdict_e;


typedef struct {
    /* set by the owner, the rest is zeroed */

    ngx_ws_frame_t          frame;        /* see there */
    ngx_ws_inflate_t       *inflate;      /* NULL: count compressed bytes */
    uint64_t                limit;        /* size of a message, 0: none */
    unsigned                text:1;       /* check the UTF-8 of text */
    unsigned                stop:1;       /* return at the end of a frame */
    unsigned                blind:1;      /* only framing, nothing counts */
    size_t                  budget;       /* set before each pass */

    size_t                  held;
    size_t                  control_size;
    size_t                  replace;
    size_t                  header_len;
    u_char                  header[NGX_WS_HEADER_MAX];

    ngx_uint_t              close;
    const char             *error;

    /* counters, in messages and bytes of their payload */

    uint64_t                messages;
    uint64_t                bytes;
    uint64_t                largest;

    /* private */

    unsigned                hold:1;       /* the current frame is held */
    unsigned                split:1;      /* it becomes fragments */
    unsigned                is_text:1;    /* the current message is */
    uint64_t                size;         /* of the current message */
    ngx_ws_utf8_t           utf8;
} ngx_ws_watch_t;


/* consumes bytes from *pos up to last until there is a verdict */
ngx_ws_verdict_e ngx_ws_watch(ngx_ws_watch_t *w, u_char **pos, u_char *last);

/* true if what may be forwarded ends between two frames */
#define ngx_ws_watch_between(w)                                               \
    ((w)->hold || ngx_ws_frame_between(&(w)->frame))

/* bytes to come until those that are held may be forwarded */
#define ngx_ws_watch_due(w)                                                   \
    (!(w)->hold ? 0 : (w)->split ? (w)->frame.piece : (size_t) (w)->frame.left)


#endif /* _NGX_WS_WATCH_H_INCLUDED_ */
