
/*
 * Copyright (C) ngx_egress authors
 *
 * RFC 6455 framing as a pure codec: bytes in, events out.  It knows no
 * connection, log or pool, keeps no payload but that of a control frame, and
 * gives the same events however the bytes are split.
 */


#ifndef _NGX_WS_FRAME_H_INCLUDED_
#define _NGX_WS_FRAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WS_CONTINUATION         0x0
#define NGX_WS_TEXT                 0x1
#define NGX_WS_BINARY               0x2
#define NGX_WS_CLOSE                0x8
#define NGX_WS_PING                 0x9
#define NGX_WS_PONG                 0xa

#define NGX_WS_FIN                  0x80
#define NGX_WS_RSV1                 0x40
#define NGX_WS_RSV2                 0x20
#define NGX_WS_RSV3                 0x10

#define NGX_WS_CLOSE_NORMAL         1000
#define NGX_WS_CLOSE_GOING_AWAY     1001
#define NGX_WS_CLOSE_PROTOCOL       1002
#define NGX_WS_CLOSE_NO_CODE        1005  /* a Close frame without a code */
#define NGX_WS_CLOSE_ABNORMAL       1006  /* no Close frame at all */
#define NGX_WS_CLOSE_INVALID        1007
#define NGX_WS_CLOSE_TOO_BIG        1009

#define NGX_WS_HEADER_MAX           14
#define NGX_WS_CONTROL_MAX          125

/* what ngx_ws_frame_control() may write: header, mask, code and reason */
#define NGX_WS_CONTROL_FRAME_MAX    (2 + 4 + NGX_WS_CONTROL_MAX)


typedef enum {
    NGX_WS_AGAIN = 0,               /* all input is consumed */
    NGX_WS_HEADER,                  /* a frame header is complete and valid */
    NGX_WS_PAYLOAD,                 /* f->chunk holds bytes of the payload */
    NGX_WS_END,                     /* the frame is complete */
    NGX_WS_BAD                      /* violation: f->close and f->error */
} ngx_ws_event_e;


typedef struct {
    /* set by the owner before the first byte, the rest is zeroed */

    unsigned                masked:1;    /* frames must (not) be masked */
    unsigned                rsv1:1;      /* permessage-deflate negotiated */
    unsigned                any_rsv:1;   /* unknown extensions negotiated */
    size_t                  slice;       /* largest chunk, 0: any */
    size_t                  piece;       /* chunks end there; counts down */

    /* the current frame, valid from NGX_WS_HEADER to NGX_WS_END */

    unsigned                fin:1;
    unsigned                compressed:1; /* RSV1 of the first frame */
    unsigned                control:1;
    unsigned                first:1;      /* 1st frame of a message */
    unsigned                last:1;       /* last frame of a message */
    ngx_uint_t              opcode;
    uint64_t                length;       /* of the payload */
    uint64_t                left;         /* payload not seen yet */
    u_char                  mask[4];

    /* NGX_WS_PAYLOAD: as on the wire, i.e. masked if the frame is */

    ngx_str_t               chunk;
    ngx_uint_t              phase;        /* of mask at the chunk's begin */

    /* payload of the current control frame, unmasked */

    u_char                  payload[NGX_WS_CONTROL_MAX];
    size_t                  payload_len;

    /* NGX_WS_END of a Close frame: code or NGX_WS_CLOSE_NO_CODE */
    /* NGX_WS_BAD: the code to fail the connection with */

    ngx_uint_t              close;
    const char             *error;

    /* private */

    ngx_uint_t              state;
    ngx_uint_t              message;      /* opcode of an open message or 0 */
    unsigned                message_compressed:1;
    size_t                  have;         /* bytes in header */
    u_char                  header[NGX_WS_HEADER_MAX];
} ngx_ws_frame_t;


/*
 * Consumes bytes from *pos up to last until there is an event to tell.
 * After NGX_WS_BAD the codec stays bad; NGX_WS_AGAIN means *pos == last.
 */
ngx_ws_event_e ngx_ws_frame_parse(ngx_ws_frame_t *f, u_char **pos,
    u_char *last);

/* true if no frame is open: a header is awaited, or has begun */
#define ngx_ws_frame_between(f)       ((f)->state == 0)

/*
 * Copies len bytes from src to dst with the mask applied.  dst may be src.
 * Returns the phase of the byte that follows.
 */
ngx_uint_t ngx_ws_unmask(u_char *dst, const u_char *src, size_t len,
    const u_char *mask, ngx_uint_t phase);

/*
 * Writes the header of a frame of up to 65535 bytes to p, returns its end.
 * The first byte is as given; mask NULL: the payload is not masked.
 */
u_char *ngx_ws_frame_header(u_char *p, ngx_uint_t first, size_t len,
    const u_char *mask);

/*
 * Writes a control frame to p, masked if mask is not NULL, returns its end.
 * len is at most NGX_WS_CONTROL_MAX.
 */
u_char *ngx_ws_frame_control(u_char *p, ngx_uint_t opcode, const u_char *data,
    size_t len, const u_char *mask);

/* the same for Close; an over-long reason is cut, NO_CODE gives no payload */
u_char *ngx_ws_frame_close(u_char *p, ngx_uint_t code, const ngx_str_t *reason,
    const u_char *mask);

/* true if an endpoint may put the code into a Close frame (RFC 6455, 7.4) */
ngx_uint_t ngx_ws_close_code_valid(ngx_uint_t code);


#endif /* _NGX_WS_FRAME_H_INCLUDED_ */
