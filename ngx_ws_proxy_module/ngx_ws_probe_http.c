
/*
 * Copyright (C) ngx_egress authors
 *
 * type=http: one request, and a response that matches.
 */


#include <ngx_ws_health.h>


static void ngx_ws_probe_http_judge(ngx_ws_probe_t *probe);


void
ngx_ws_probe_http_open(ngx_ws_probe_t *probe)
{
    static const char  more[] = "Connection: close" CRLF;

    if (ngx_ws_probe_request(probe, "GET", more, sizeof(more) - 1) != NGX_OK) {
        ngx_ws_probe_verdict(probe, "internal error");
        ngx_ws_probe_close(probe);
    }
}


/* shared with type=websocket, whose method and "more" differ */

ngx_int_t
ngx_ws_probe_request(ngx_ws_probe_t *probe, const char *method,
    const char *more, size_t more_len)
{
    size_t                  len;
    ngx_str_t              *host, text;
    ngx_buf_t              *b;
    ngx_ws_health_check_t  *check;

    check = probe->check;
    host = check->host.len ? &check->host : &probe->conf->upstream->host;

    text = check->method;

    if (text.len == 0) {
        text.data = (u_char *) method;
        text.len = ngx_strlen(method);
    }

    len = text.len + 1 + check->uri.len + sizeof(" HTTP/1.1" CRLF) - 1
          + sizeof("Host: " CRLF) - 1 + host->len
          + check->headers.len + more_len
          + sizeof("Content-Length: " CRLF) - 1 + NGX_SIZE_T_LEN
          + sizeof(CRLF) - 1 + check->body.len;

    b = ngx_create_temp_buf(probe->pool, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "%V %V HTTP/1.1" CRLF "Host: %V" CRLF
                          "%*s%V", &text, &check->uri, host, more_len, more,
                          &check->headers);

    if (check->body.len) {
        b->last = ngx_sprintf(b->last, "Content-Length: %uz" CRLF,
                              check->body.len);
    }

    b->last = ngx_sprintf(b->last, CRLF "%V", &check->body);

    probe->out = b;
    probe->step = 1;

    ngx_ws_probe_send(probe);

    return NGX_OK;
}


void
ngx_ws_probe_http_read(ngx_ws_probe_t *probe, ngx_uint_t eof)
{
    ngx_int_t           rc;
    ngx_buf_t          *b;
    ngx_ws_response_t  *res;

    b = probe->in;
    res = &probe->response;

    rc = ngx_ws_response_parse(res, b->pos, b->last);

    if (rc == NGX_AGAIN && !eof) {
        return;
    }

    if (rc != NGX_OK) {
        ngx_ws_probe_verdict(probe, b->pos == b->last ? "closed the connection"
                                                      : "invalid response");
        ngx_ws_probe_close(probe);
        return;
    }

    if (probe->check->match && probe->check->match->body) {

        rc = ngx_ws_response_body(res, b->last, 0);

        if (rc == NGX_AGAIN && !eof) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_ws_probe_verdict(probe, "invalid chunk");
            ngx_ws_probe_close(probe);
            return;
        }

        (void) ngx_ws_response_body(res, b->last, 1);
    }

    ngx_ws_probe_http_judge(probe);
}


static void
ngx_ws_probe_http_judge(ngx_ws_probe_t *probe)
{
    ngx_ws_probe_verdict(probe, ngx_ws_probe_match(probe, 200, 399));
    ngx_ws_probe_close(probe);
}


const char *
ngx_ws_probe_match(ngx_ws_probe_t *probe, ngx_uint_t low, ngx_uint_t high)
{
    const char  *error;

    error = ngx_ws_match(probe->check->match, &probe->response, low, high);

    if (error == NULL || ngx_strcmp(error, "unexpected status") != 0) {
        return error;
    }

    (void) ngx_snprintf(probe->text, NGX_WS_HEALTH_REASON, "%s %ui%Z", error,
                        probe->response.status);

    return (char *) probe->text;
}
