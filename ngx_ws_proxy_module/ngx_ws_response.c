
/*
 * Copyright (C) ngx_egress authors
 *
 * HTTP/1.x responses to health checks: status, headers, and a body with a
 * length, in chunks, or up to the end.  Knows no connection and no pool.
 */


#include <ngx_ws_response.h>


static ngx_int_t ngx_ws_response_status(ngx_ws_response_t *res, u_char *pos,
    u_char *last);
static ngx_int_t ngx_ws_response_chunks(ngx_ws_response_t *res, u_char *last,
    ngx_uint_t join);
static ngx_uint_t ngx_ws_response_is(u_char *p, const char *word, size_t len);
static off_t ngx_ws_response_number(u_char *p, size_t len, ngx_int_t base);
static ngx_int_t ngx_ws_response_digit(u_char ch, ngx_int_t base);


ngx_int_t
ngx_ws_response_parse(ngx_ws_response_t *res, u_char *pos, u_char *last)
{
    u_char     *p, *line;
    ngx_str_t   value;

    if (last - pos >= 5 && ngx_strncmp(pos, "HTTP/", 5) != 0) {
        return NGX_ERROR;
    }

    line = pos;

    for (p = pos; p < last; p++) {

        if (*p != LF) {
            continue;
        }

        if (line == pos) {

            if (ngx_ws_response_status(res, pos, p) != NGX_OK) {
                return NGX_ERROR;
            }

            res->headers.data = p + 1;

        } else if (p == line || (p == line + 1 && *line == CR)) {
            break;
        }

        line = p + 1;
    }

    if (p == last) {
        res->status = 0;
        return NGX_AGAIN;
    }

    res->headers.len = line - res->headers.data;
    res->end = p + 1;
    res->length = -1;

    value = ngx_ws_response_header(res, "Content-Length", 14);

    if (value.data) {
        res->length = ngx_ws_response_number(value.data, value.len, 10);

        if (res->length == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    value = ngx_ws_response_header(res, "Transfer-Encoding", 17);

    res->chunked = (value.len == 7
                    && ngx_ws_response_is(value.data, "chunked", 7));

    return NGX_OK;
}


/* "HTTP/1.1 200 OK" */

static ngx_int_t
ngx_ws_response_status(ngx_ws_response_t *res, u_char *pos, u_char *last)
{
    off_t  status;

    if (last - pos < 12 || ngx_strncmp(pos, "HTTP/1.", 7) != 0
        || pos[8] != ' ')
    {
        return NGX_ERROR;
    }

    status = ngx_ws_response_number(pos + 9, 3, 10);

    if (status < 100) {
        return NGX_ERROR;
    }

    res->status = (ngx_uint_t) status;

    return NGX_OK;
}


ngx_str_t
ngx_ws_response_header(ngx_ws_response_t *res, const char *name, size_t len)
{
    u_char     *p, *last, *end;
    ngx_str_t   value;

    ngx_str_null(&value);

    p = res->headers.data;
    last = p + res->headers.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            break;
        }

        if ((size_t) (end - p) <= len || p[len] != ':'
            || !ngx_ws_response_is(p, name, len))
        {
            continue;
        }

        value.data = p + len + 1;

        while (value.data < end && (*value.data == ' ' || *value.data == '\t'))
        {
            value.data++;
        }

        value.len = end - value.data;

        while (value.len && (value.data[value.len - 1] <= ' ')) {
            value.len--;
        }

        break;
    }

    return value;
}


ngx_int_t
ngx_ws_response_body(ngx_ws_response_t *res, u_char *last, ngx_uint_t join)
{
    if (res->chunked) {
        return ngx_ws_response_chunks(res, last, join);
    }

    res->body.data = res->end;
    res->body.len = last - res->end;

    if (res->length >= 0 && (off_t) res->body.len >= res->length) {
        res->body.len = (size_t) res->length;
        return NGX_OK;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_ws_response_chunks(ngx_ws_response_t *res, u_char *last, ngx_uint_t join)
{
    off_t    size;
    u_char  *p, *dst, *end, *digits;

    p = res->end;
    dst = res->end;
    res->body.data = res->end;

    for ( ;; ) {

        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            break;
        }

        for (digits = p; digits < end; digits++) {

            if (ngx_ws_response_digit(*digits, 16) < 0) {
                break;
            }
        }

        size = (digits - p <= 8)
               ? ngx_ws_response_number(p, digits - p, 16) : NGX_ERROR;

        if (size == NGX_ERROR) {
            return NGX_ERROR;
        }

        p = end + 1;

        if (size == 0) {
            res->body.len = dst - res->body.data;
            return NGX_OK;
        }

        size = ngx_min(size, last - p);

        if (join) {
            ngx_memmove(dst, p, (size_t) size);
        }

        dst += size;
        p += size;

        if (p < last && *p == CR) {
            p++;
        }

        if (p == last) {
            break;
        }

        if (*p++ != LF) {
            return NGX_ERROR;
        }
    }

    res->body.len = join ? (size_t) (dst - res->body.data) : 0;

    return NGX_AGAIN;
}


/* in any case */

static ngx_uint_t
ngx_ws_response_is(u_char *p, const char *word, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (ngx_tolower(p[i]) != ngx_tolower((u_char) word[i])) {
            return 0;
        }
    }

    return 1;
}


static off_t
ngx_ws_response_number(u_char *p, size_t len, ngx_int_t base)
{
    off_t      n;
    size_t     i;
    ngx_int_t  digit;

    if (len == 0 || len > 15) {
        return NGX_ERROR;
    }

    for (n = 0, i = 0; i < len; i++) {
        digit = ngx_ws_response_digit(p[i], base);

        if (digit < 0) {
            return NGX_ERROR;
        }

        n = n * base + digit;
    }

    return n;
}


static ngx_int_t
ngx_ws_response_digit(u_char ch, ngx_int_t base)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch = ngx_tolower(ch);

    return (base == 16 && ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}
