
/*
 * Copyright (C) ngx_egress authors
 *
 * RFC 6455 framing: parses headers in any split, judges everything that can
 * be judged without looking into data payload, and writes control frames.
 * Message sizes, compression and the text itself are ngx_ws_watch.c's.
 */


#include <ngx_ws_frame.h>
#include <ngx_ws_utf8.h>


enum {
    sw_header = 0,          /* collecting the header */
    sw_payload,
    sw_end,                 /* the frame ends before the next byte */
    sw_bad
};


static ngx_int_t ngx_ws_frame_collect(ngx_ws_frame_t *f, u_char **pos,
    u_char *last);
static size_t ngx_ws_frame_header_size(u_char second);
static ngx_int_t ngx_ws_frame_judge(ngx_ws_frame_t *f);
static ngx_int_t ngx_ws_frame_judge_control(ngx_ws_frame_t *f);
static ngx_int_t ngx_ws_frame_judge_data(ngx_ws_frame_t *f, u_char rsv);
static ngx_int_t ngx_ws_frame_length(ngx_ws_frame_t *f);
static void ngx_ws_frame_payload(ngx_ws_frame_t *f, u_char **pos,
    u_char *last);
static ngx_int_t ngx_ws_frame_end(ngx_ws_frame_t *f);
static ngx_int_t ngx_ws_frame_end_close(ngx_ws_frame_t *f);
static ngx_int_t ngx_ws_frame_fail(ngx_ws_frame_t *f, ngx_uint_t code,
    const char *error);


ngx_ws_event_e
ngx_ws_frame_parse(ngx_ws_frame_t *f, u_char **pos, u_char *last)
{
    ngx_int_t  rc;

    switch (f->state) {

    case sw_header:
        rc = ngx_ws_frame_collect(f, pos, last);

        if (rc == NGX_AGAIN) {
            return NGX_WS_AGAIN;
        }

        return (rc == NGX_OK) ? NGX_WS_HEADER : NGX_WS_BAD;

    case sw_payload:
        if (*pos == last) {
            return NGX_WS_AGAIN;
        }

        ngx_ws_frame_payload(f, pos, last);
        return NGX_WS_PAYLOAD;

    case sw_end:
        return (ngx_ws_frame_end(f) == NGX_OK) ? NGX_WS_END : NGX_WS_BAD;

    default: /* sw_bad */
        return NGX_WS_BAD;
    }
}


static ngx_int_t
ngx_ws_frame_collect(ngx_ws_frame_t *f, u_char **pos, u_char *last)
{
    u_char  *p;
    size_t   size;

    p = *pos;

    while (f->have < 2) {

        if (p == last) {
            *pos = p;
            return NGX_AGAIN;
        }

        f->header[f->have++] = *p++;

        if (f->have == 2 && ngx_ws_frame_judge(f) != NGX_OK) {
            *pos = p;
            return NGX_ERROR;
        }
    }

    size = ngx_ws_frame_header_size(f->header[1]);

    while (f->have < size && p != last) {
        f->header[f->have++] = *p++;
    }

    *pos = p;

    if (f->have < size) {
        return NGX_AGAIN;
    }

    if (ngx_ws_frame_length(f) != NGX_OK) {
        return NGX_ERROR;
    }

    if (f->masked) {
        ngx_memcpy(f->mask, &f->header[size - 4], 4);
    }

    f->have = 0;
    f->phase = 0;
    f->payload_len = 0;
    f->left = f->length;
    f->state = f->length ? sw_payload : sw_end;

    return NGX_OK;
}


static size_t
ngx_ws_frame_header_size(u_char second)
{
    size_t  size;

    size = (second & 0x80) ? 6 : 2;

    switch (second & 0x7f) {

    case 126:
        return size + 2;

    case 127:
        return size + 8;

    default:
        return size;
    }
}


/* what the first two bytes tell */

static ngx_int_t
ngx_ws_frame_judge(ngx_ws_frame_t *f)
{
    u_char  rsv;

    rsv = f->header[0] & (NGX_WS_RSV1|NGX_WS_RSV2|NGX_WS_RSV3);

    f->fin = (f->header[0] & NGX_WS_FIN) ? 1 : 0;
    f->opcode = f->header[0] & 0x0f;
    f->control = (f->opcode & 0x08) ? 1 : 0;
    f->compressed = 0;
    f->first = 0;
    f->last = 0;

    if (f->opcode > NGX_WS_PONG
        || (f->opcode > NGX_WS_BINARY && f->opcode < NGX_WS_CLOSE))
    {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL, "reserved opcode");
    }

    if (((f->header[1] & 0x80) != 0) != f->masked) {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                 f->masked ? "unmasked frame of a client"
                                           : "masked frame of a server");
    }

    if (!f->any_rsv && (rsv & (f->rsv1 ? NGX_WS_RSV2|NGX_WS_RSV3 : 0x70))) {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL, "reserved bit");
    }

    if (f->control) {

        if (rsv && !f->any_rsv) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "reserved bit in a control frame");
        }

        return ngx_ws_frame_judge_control(f);
    }

    return ngx_ws_frame_judge_data(f, rsv);
}


static ngx_int_t
ngx_ws_frame_judge_control(ngx_ws_frame_t *f)
{
    if (!f->fin) {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                 "fragmented control frame");
    }

    if ((f->header[1] & 0x7f) > NGX_WS_CONTROL_MAX) {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                 "too long control frame");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_frame_judge_data(ngx_ws_frame_t *f, u_char rsv)
{
    if (f->opcode == NGX_WS_CONTINUATION) {

        if (f->message == 0) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "continuation of no message");
        }

        if (rsv && !f->any_rsv) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "reserved bit in a continuation");
        }

    } else {

        if (f->message) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "new message inside of a message");
        }

        f->first = 1;
        f->message = f->opcode;
        f->message_compressed = (f->rsv1 && (rsv & NGX_WS_RSV1)) ? 1 : 0;
    }

    f->compressed = f->message_compressed;
    f->last = f->fin;

    return NGX_OK;
}


static ngx_int_t
ngx_ws_frame_length(ngx_ws_frame_t *f)
{
    u_char      *p;
    uint64_t     length;
    ngx_uint_t   i;

    p = &f->header[2];

    switch (f->header[1] & 0x7f) {

    case 126:
        length = (p[0] << 8) | p[1];

        if (length < 126) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "length is not minimal");
        }

        break;

    case 127:
        for (length = 0, i = 0; i < 8; i++) {
            length = (length << 8) | p[i];
        }

        if (length < 65536) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "length is not minimal");
        }

        if (length >> 63) {
            return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                     "length has its top bit set");
        }

        break;

    default:
        length = f->header[1] & 0x7f;
        break;
    }

    f->length = length;

    return NGX_OK;
}


static void
ngx_ws_frame_payload(ngx_ws_frame_t *f, u_char **pos, u_char *last)
{
    size_t  size;

    size = last - *pos;

    if (size > f->left) {
        size = (size_t) f->left;
    }

    if (f->slice && size > f->slice && !f->control) {
        size = f->slice;
    }

    if (f->piece) {
        size = ngx_min(size, f->piece);
        f->piece -= size;
    }

    f->phase = (ngx_uint_t) ((f->length - f->left) & 3);
    f->chunk.data = *pos;
    f->chunk.len = size;

    if (f->control) {
        ngx_ws_unmask(f->payload + f->payload_len, *pos, size,
                      f->masked ? f->mask : NULL, f->phase);
        f->payload_len += size;
    }

    *pos += size;
    f->left -= size;

    if (f->left == 0) {
        f->state = sw_end;
    }
}


static ngx_int_t
ngx_ws_frame_end(ngx_ws_frame_t *f)
{
    f->state = sw_header;

    if (f->opcode == NGX_WS_CLOSE) {
        return ngx_ws_frame_end_close(f);
    }

    if (f->last) {
        f->message = 0;
        f->message_compressed = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_frame_end_close(ngx_ws_frame_t *f)
{
    ngx_uint_t      code;
    ngx_ws_utf8_t   utf8;

    if (f->payload_len == 0) {
        f->close = NGX_WS_CLOSE_NO_CODE;
        return NGX_OK;
    }

    if (f->payload_len == 1) {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                 "close payload of one byte");
    }

    code = (f->payload[0] << 8) | f->payload[1];

    if (!ngx_ws_close_code_valid(code)) {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_PROTOCOL,
                                 "invalid close code");
    }

    ngx_ws_utf8_init(&utf8);

    if (ngx_ws_utf8_check(&utf8, f->payload + 2, f->payload_len - 2) != NGX_OK
        || !ngx_ws_utf8_complete(&utf8))
    {
        return ngx_ws_frame_fail(f, NGX_WS_CLOSE_INVALID,
                                 "close reason is not utf-8");
    }

    f->close = code;

    return NGX_OK;
}


static ngx_int_t
ngx_ws_frame_fail(ngx_ws_frame_t *f, ngx_uint_t code, const char *error)
{
    f->state = sw_bad;
    f->close = code;
    f->error = error;

    return NGX_ERROR;
}


ngx_uint_t
ngx_ws_unmask(u_char *dst, const u_char *src, size_t len, const u_char *mask,
    ngx_uint_t phase)
{
    size_t      i;
    u_char      m[8];
    uint64_t    key, word;

    if (mask == NULL) {
        ngx_memmove(dst, src, len);
        return phase;
    }

    for (i = 0; i < 8; i++) {
        m[i] = mask[(phase + i) & 3];
    }

    ngx_memcpy(&key, m, 8);

    for (i = 0; i + 8 <= len; i += 8) {
        ngx_memcpy(&word, src + i, 8);
        word ^= key;
        ngx_memcpy(dst + i, &word, 8);
    }

    for ( /* void */ ; i < len; i++) {
        dst[i] = src[i] ^ m[i & 7];
    }

    return (phase + len) & 3;
}


u_char *
ngx_ws_frame_header(u_char *p, ngx_uint_t first, size_t len,
    const u_char *mask)
{
    u_char  bit;

    bit = mask ? 0x80 : 0;
    *p++ = (u_char) first;

    if (len < 126) {
        *p++ = (u_char) (len | bit);

    } else {
        *p++ = (u_char) (126 | bit);
        *p++ = (u_char) (len >> 8);
        *p++ = (u_char) len;
    }

    return mask ? ngx_cpymem(p, mask, 4) : p;
}


u_char *
ngx_ws_frame_control(u_char *p, ngx_uint_t opcode, const u_char *data,
    size_t len, const u_char *mask)
{
    p = ngx_ws_frame_header(p, NGX_WS_FIN | opcode, len, mask);

    if (len) {
        ngx_ws_unmask(p, data, len, mask, 0);
    }

    return p + len;
}


u_char *
ngx_ws_frame_close(u_char *p, ngx_uint_t code, const ngx_str_t *reason,
    const u_char *mask)
{
    size_t  len;
    u_char  payload[NGX_WS_CONTROL_MAX];

    if (code == NGX_WS_CLOSE_NO_CODE) {
        return ngx_ws_frame_control(p, NGX_WS_CLOSE, NULL, 0, mask);
    }

    payload[0] = (u_char) (code >> 8);
    payload[1] = (u_char) code;

    len = reason ? ngx_min(reason->len, NGX_WS_CONTROL_MAX - 2) : 0;

    if (len) {
        ngx_memcpy(payload + 2, reason->data, len);
    }

    return ngx_ws_frame_control(p, NGX_WS_CLOSE, payload, len + 2, mask);
}


ngx_uint_t
ngx_ws_close_code_valid(ngx_uint_t code)
{
    if (code >= 3000 && code <= 4999) {
        return 1;
    }

    /* 1004 is reserved, 1005, 1006 and 1015 never go over the wire */

    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
