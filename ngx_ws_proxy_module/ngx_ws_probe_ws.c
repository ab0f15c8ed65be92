
/*
 * Copyright (C) ngx_egress authors
 *
 * type=websocket: an opening handshake with a valid Sec-WebSocket-Accept, if
 * asked for a ping that must be answered, and a clean close, so that the
 * server sees an ordinary session that comes to its end.
 */


#include <ngx_ws_health.h>
#include <ngx_ws_frame.h>
#include <ngx_ws_handshake.h>


/* probe->step */

enum {
    ws_handshake = 1,
    ws_ping,
    ws_close
};


static void ngx_ws_probe_ws_handshake(ngx_ws_probe_t *probe, ngx_uint_t eof);
static const char *ngx_ws_probe_ws_judge(ngx_ws_probe_t *probe);
static void ngx_ws_probe_ws_frames(ngx_ws_probe_t *probe, ngx_uint_t eof);
static void ngx_ws_probe_ws_frame(ngx_ws_probe_t *probe, ngx_uint_t opcode,
    const u_char *data, size_t len);
static void ngx_ws_probe_ws_bye(ngx_ws_probe_t *probe);


static u_char  ngx_ws_probe_ping[] = "health";


void
ngx_ws_probe_ws_open(ngx_ws_probe_t *probe)
{
    u_char  *p;

    u_char  more[256];

    ngx_ws_key_create(probe->key);

    p = ngx_sprintf(more, "Connection: Upgrade" CRLF
                    "Upgrade: websocket" CRLF
                    "Sec-WebSocket-Version: 13" CRLF
                    "Sec-WebSocket-Key: %*s" CRLF,
                    (size_t) NGX_WS_KEY_LEN, probe->key);

    if (ngx_ws_probe_request(probe, "GET", (char *) more, p - more) != NGX_OK)
    {
        ngx_ws_probe_verdict(probe, "internal error");
        ngx_ws_probe_close(probe);
    }
}


void
ngx_ws_probe_ws_read(ngx_ws_probe_t *probe, ngx_uint_t eof)
{
    if (probe->step == ws_handshake) {
        ngx_ws_probe_ws_handshake(probe, eof);
        return;
    }

    ngx_ws_probe_ws_frames(probe, eof);
}


static void
ngx_ws_probe_ws_handshake(ngx_ws_probe_t *probe, ngx_uint_t eof)
{
    ngx_int_t           rc;
    ngx_buf_t          *b;
    const char         *error;
    ngx_ws_response_t  *res;

    b = probe->in;
    res = &probe->response;

    rc = ngx_ws_response_parse(res, b->pos, b->last);

    if (rc == NGX_AGAIN && !eof) {
        return;
    }

    if (rc == NGX_OK) {
        error = ngx_ws_probe_ws_judge(probe);

    } else {
        error = (b->pos == b->last) ? "closed the connection"
                                    : "invalid response";
    }

    if (error || res->status != NGX_HTTP_SWITCHING_PROTOCOLS) {
        ngx_ws_probe_verdict(probe, error);
        ngx_ws_probe_close(probe);
        return;
    }

    b->pos = res->end;

    if (!probe->check->ping) {
        ngx_ws_probe_ws_bye(probe);
        return;
    }

    probe->step = ws_ping;
    ngx_ws_probe_ws_frame(probe, NGX_WS_PING, ngx_ws_probe_ping,
                          sizeof(ngx_ws_probe_ping) - 1);
}


static const char *
ngx_ws_probe_ws_judge(ngx_ws_probe_t *probe)
{
    ngx_str_t           key, value;
    ngx_ws_response_t  *res;

    u_char  accept[NGX_WS_ACCEPT_LEN];

    res = &probe->response;

    if (res->status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        key.data = probe->key;
        key.len = NGX_WS_KEY_LEN;

        ngx_ws_accept(accept, &key);

        value = ngx_ws_response_header(res, "Sec-WebSocket-Accept", 20);

        if (value.len != NGX_WS_ACCEPT_LEN
            || ngx_memcmp(value.data, accept, NGX_WS_ACCEPT_LEN) != 0)
        {
            return "wrong Sec-WebSocket-Accept";
        }

        value = ngx_ws_response_header(res, "Upgrade", 7);

        if (!ngx_ws_has_token(&value, "websocket")) {
            return "no upgrade to websocket";
        }
    }

    return ngx_ws_probe_match(probe, 101, 101);
}


static void
ngx_ws_probe_ws_frames(ngx_ws_probe_t *probe, ngx_uint_t eof)
{
    u_char          *p, *frame;
    ngx_ws_frame_t   f;
    ngx_ws_event_e   event;

    /* whole frames only: the rest waits in the buffer */

    for ( ;; ) {

        ngx_memzero(&f, sizeof(ngx_ws_frame_t));
        f.any_rsv = 1;

        frame = probe->in->pos;
        p = frame;

        do {
            event = ngx_ws_frame_parse(&f, &p, probe->in->last);
        } while (event == NGX_WS_HEADER || event == NGX_WS_PAYLOAD);

        if (event != NGX_WS_END) {
            break;
        }

        probe->in->pos = p;

        if (f.opcode == NGX_WS_CLOSE) {
            eof = 1;
            break;
        }

        if (f.opcode == NGX_WS_PONG && probe->step == ws_ping
            && f.payload_len == sizeof(ngx_ws_probe_ping) - 1
            && ngx_memcmp(f.payload, ngx_ws_probe_ping, f.payload_len) == 0)
        {
            ngx_ws_probe_ws_bye(probe);
            return;
        }
    }

    if (event == NGX_WS_BAD) {
        ngx_ws_probe_verdict(probe, "invalid websocket frame");
        ngx_ws_probe_close(probe);
        return;
    }

    if (eof) {

        /* after our Close this is what we have been waiting for */

        ngx_ws_probe_verdict(probe, "ping was not answered");
        ngx_ws_probe_close(probe);
    }
}


/* the server is well; whether it closes well does not change that */

static void
ngx_ws_probe_ws_bye(ngx_ws_probe_t *probe)
{
    static u_char  normal[] = { 0x03, 0xe8 };

    probe->step = ws_close;

    ngx_ws_probe_verdict(probe, NULL);
    ngx_ws_probe_ws_frame(probe, NGX_WS_CLOSE, normal, sizeof(normal));
}


static void
ngx_ws_probe_ws_frame(ngx_ws_probe_t *probe, ngx_uint_t opcode,
    const u_char *data, size_t len)
{
    u_char      mask[4];
    uint32_t    n;
    ngx_buf_t  *b;

    n = (uint32_t) ngx_random() ^ ((uint32_t) ngx_random() << 16);
    ngx_memcpy(mask, &n, 4);

    b = ngx_create_temp_buf(probe->pool, NGX_WS_CONTROL_FRAME_MAX);

    if (b == NULL) {
        ngx_ws_probe_verdict(probe, "internal error");
        ngx_ws_probe_close(probe);
        return;
    }

    b->last = ngx_ws_frame_control(b->last, opcode, data, len, mask);
    probe->out = b;

    ngx_ws_probe_send(probe);
}
