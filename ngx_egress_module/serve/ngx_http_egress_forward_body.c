
/*
 * Copyright (C) ngx_egress authors
 *
 * The body of a response, passed on as it comes: what is read is sent before
 * more is read, hence a slow client slows the origin down.  Chunks are undone
 * (the core makes new ones), trailers are passed to clients that ask for them.
 */


#include "ngx_http_egress_forward.h"


#define NGX_HTTP_EGRESS_TRAILER_SIZE  4096


static ngx_int_t ngx_http_egress_forward_plain(ngx_http_egress_forward_t *fwd,
    u_char *pos, u_char *last);
static ngx_int_t ngx_http_egress_forward_chunked(
    ngx_http_egress_forward_t *fwd, u_char *pos, u_char *last);
static ngx_int_t ngx_http_egress_forward_pass(ngx_http_egress_forward_t *fwd,
    u_char *pos, u_char *last);
static void ngx_http_egress_forward_end(ngx_http_egress_forward_t *fwd,
    u_char *pos, u_char *last);
static ngx_int_t ngx_http_egress_forward_trailers(
    ngx_http_egress_forward_t *fwd, u_char **pos, u_char *last);
static ngx_int_t ngx_http_egress_forward_add_byte(
    ngx_http_egress_forward_t *fwd, u_char ch);
static ngx_int_t ngx_http_egress_forward_add_trailer(
    ngx_http_egress_forward_t *fwd);


ngx_int_t
ngx_http_egress_forward_body_init(void *data)
{
    ngx_http_egress_forward_t *fwd = data;

    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = fwd->request;
    u = r->upstream;

    if (fwd->status.code == NGX_HTTP_NO_CONTENT
        || fwd->status.code == NGX_HTTP_NOT_MODIFIED)
    {
        u->length = 0;
        return NGX_OK;
    }

    if (fwd->chunked) {

        /* neither complete, nor complete with the end of the connection */

        u->length = 1;
        return NGX_OK;
    }

    u->length = u->headers_in.content_length_n;

    return NGX_OK;
}


ngx_int_t
ngx_http_egress_forward_body(void *data, ssize_t bytes)
{
    ngx_http_egress_forward_t *fwd = data;

    u_char     *pos;
    ngx_buf_t  *b;

    b = &fwd->request->upstream->buffer;

    pos = b->last;
    b->last += bytes;

    if (fwd->chunked) {
        return ngx_http_egress_forward_chunked(fwd, pos, b->last);
    }

    return ngx_http_egress_forward_plain(fwd, pos, b->last);
}


static ngx_int_t
ngx_http_egress_forward_plain(ngx_http_egress_forward_t *fwd, u_char *pos,
    u_char *last)
{
    u_char               *end;
    ngx_http_upstream_t  *u;

    u = fwd->request->upstream;

    end = last;

    if (u->length != -1 && last - pos > u->length) {
        end = pos + u->length;
    }

    if (ngx_http_egress_forward_pass(fwd, pos, end) != NGX_OK) {
        return NGX_ERROR;
    }

    if (u->length == -1) {
        return NGX_OK;
    }

    u->length -= end - pos;

    if (u->length == 0) {
        ngx_http_egress_forward_end(fwd, end, last);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_chunked(ngx_http_egress_forward_t *fwd, u_char *pos,
    u_char *last)
{
    size_t                     n;
    ngx_int_t                  rc;
    ngx_http_upstream_t       *u;
    ngx_http_egress_chunks_t  *chunks;

    u = fwd->request->upstream;
    chunks = &fwd->chunks;

    while (!chunks->trailer) {

        rc = ngx_egress_chunked(&chunks->chunk, &pos, last);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            goto invalid;
        }

        if (rc == NGX_DONE) {
            chunks->trailer = 1;
            break;
        }

        n = last - pos;

        if (n > chunks->chunk.size) {
            n = chunks->chunk.size;
        }

        if (ngx_http_egress_forward_pass(fwd, pos, pos + n) != NGX_OK) {
            return NGX_ERROR;
        }

        chunks->chunk.size -= n;
        pos += n;
    }

    if (u->length) {
        rc = ngx_http_egress_forward_trailers(fwd, &pos, last);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            goto invalid;
        }
    }

    u->length = 0;
    ngx_http_egress_forward_end(fwd, pos, last);

    return NGX_OK;

invalid:

    ngx_log_error(NGX_LOG_ERR, fwd->request->connection->log, 0,
                  "origin sent invalid chunked body");

    fwd->reason = NGX_EGRESS_UPSTREAM_INVALID;

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_egress_forward_pass(ngx_http_egress_forward_t *fwd, u_char *pos,
    u_char *last)
{
    ngx_buf_t            *b;
    ngx_chain_t          *cl, **ll;
    ngx_http_upstream_t  *u;

    if (pos == last) {
        return NGX_OK;
    }

    u = fwd->request->upstream;

    for (ll = &u->out_bufs; *ll; ll = &(*ll)->next) { /* void */ }

    cl = ngx_chain_get_free_buf(fwd->request->pool, &u->free_bufs);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    b = cl->buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = pos;
    b->pos = pos;
    b->last = last;
    b->end = last;
    b->tag = u->output.tag;
    b->memory = 1;
    b->flush = 1;

    cl->next = NULL;
    *ll = cl;

    return NGX_OK;
}


/* Whatever follows was not asked for: no connection to be kept. */

static void
ngx_http_egress_forward_end(ngx_http_egress_forward_t *fwd, u_char *pos,
    u_char *last)
{
    if (pos == last) {
        fwd->request->upstream->keepalive = !fwd->close;
        return;
    }

    ngx_log_error(NGX_LOG_WARN, fwd->request->connection->log, 0,
                  "origin sent more than one response");

    fwd->excess = 1;
}


static ngx_int_t
ngx_http_egress_forward_trailers(ngx_http_egress_forward_t *fwd, u_char **pos,
    u_char *last)
{
    u_char                     ch;
    ngx_http_egress_chunks_t  *chunks;

    chunks = &fwd->chunks;

    while (*pos < last) {

        ch = *(*pos)++;

        if (++chunks->size > NGX_HTTP_EGRESS_MAX_HEAD) {
            return NGX_ERROR;
        }

        switch (ngx_egress_field_byte(&chunks->field, ch)) {

        case NGX_EGRESS_FIELD_NAME:
            if (ngx_http_egress_forward_add_byte(fwd, ch) != NGX_OK) {
                return NGX_ERROR;
            }

            chunks->name_len = chunks->line.len;
            break;

        case NGX_EGRESS_FIELD_VALUE:
            if (ngx_http_egress_forward_add_byte(fwd, ch) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case NGX_EGRESS_FIELD_END:
            if (ngx_http_egress_forward_add_trailer(fwd) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case NGX_EGRESS_FIELD_DONE:
            return NGX_OK;

        case NGX_EGRESS_FIELD_ERROR:
            return NGX_ERROR;

        default:
            break;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_egress_forward_add_byte(ngx_http_egress_forward_t *fwd, u_char ch)
{
    ngx_str_t  *line;

    line = &fwd->chunks.line;

    if (!fwd->trailers) {
        return NGX_OK;
    }

    if (line->data == NULL) {
        line->data = ngx_pnalloc(fwd->request->pool,
                                 NGX_HTTP_EGRESS_TRAILER_SIZE);
        if (line->data == NULL) {
            return NGX_ERROR;
        }
    }

    if (line->len == NGX_HTTP_EGRESS_TRAILER_SIZE) {
        return NGX_ERROR;
    }

    line->data[line->len++] = ch;

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_add_trailer(ngx_http_egress_forward_t *fwd)
{
    u_char                    *p;
    ngx_table_elt_t            field, *h;
    ngx_http_request_t        *r;
    ngx_http_egress_chunks_t  *chunks;

    r = fwd->request;
    chunks = &fwd->chunks;

    if (!fwd->trailers) {
        return NGX_OK;
    }

    ngx_memzero(&field, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(r->pool, chunks->line.len + chunks->name_len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, chunks->line.data, chunks->line.len);

    field.key.data = p;
    field.key.len = chunks->name_len;

    field.value.data = p + chunks->name_len;
    field.value.len = chunks->line.len - chunks->name_len;

    ngx_http_egress_trim(&field.value);

    field.lowcase_key = p + chunks->line.len;
    ngx_strlow(field.lowcase_key, field.key.data, field.key.len);

    field.hash = ngx_hash_key(field.lowcase_key, field.key.len);

    chunks->line.len = 0;

    /* whatever means something to a proxy has no place in a trailer */

    if (ngx_http_egress_header(field.lowcase_key, field.key.len)
        != NGX_HTTP_EGRESS_END_TO_END
        || !ngx_http_egress_forward_passes(fwd, &field))
    {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.trailers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = field;

    return NGX_OK;
}
