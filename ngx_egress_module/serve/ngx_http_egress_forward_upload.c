
/*
 * Copyright (C) ngx_egress authors
 *
 * The body of the request on its way to the origin: as it is, or in chunks
 * made anew.  An origin that answers early and closes is still listened to.
 */


#include "ngx_http_egress_forward.h"


/* of a line with a size, and of what follows the data */
#define NGX_HTTP_EGRESS_CHUNK_SIZE  (sizeof("0000000000000000" CRLF) - 1)


static void ngx_http_egress_forward_watch(ngx_http_egress_forward_t *fwd);
static void ngx_http_egress_forward_read_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_egress_forward_send(ngx_http_egress_forward_t *fwd,
    ngx_chain_t *out);
static ngx_int_t ngx_http_egress_forward_chunks(
    ngx_http_egress_forward_t *fwd, ngx_chain_t *in, ngx_chain_t **out);
static ngx_buf_t *ngx_http_egress_forward_add_buf(
    ngx_http_egress_forward_t *fwd, ngx_chain_t ***ll);
static ngx_int_t ngx_http_egress_forward_add(ngx_http_egress_forward_t *fwd,
    ngx_chain_t ***ll, ngx_buf_t *buf);


ngx_int_t
ngx_http_egress_forward_upload(void *data, ngx_chain_t *in)
{
    ngx_http_egress_forward_t *fwd = data;

    ngx_int_t             rc;
    ngx_chain_t          *out;
    ngx_http_upstream_t  *u;

    if (fwd->unwritable) {
        return NGX_AGAIN;
    }

    if (fwd->request->reading_body) {
        ngx_http_egress_forward_watch(fwd);
    }

    if (in == NULL || !fwd->chunked_out) {
        return ngx_http_egress_forward_send(fwd, in);
    }

    if (ngx_http_egress_forward_chunks(fwd, in, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_egress_forward_send(fwd, out);

    u = fwd->request->upstream;

    ngx_chain_update_chains(fwd->request->pool, &fwd->free, &fwd->busy, &out,
                            u->output.tag);

    return rc;
}


/*
 * The core does not look at a client whose bytes the origin does not take; a
 * reset is seen all the same.
 */

static void
ngx_http_egress_forward_watch(ngx_http_egress_forward_t *fwd)
{
    ngx_http_request_t  *r;

    r = fwd->request;

    if (r->read_event_handler != ngx_http_egress_forward_read_body) {
        fwd->read_body = r->read_event_handler;
        r->read_event_handler = ngx_http_egress_forward_read_body;
    }
}


static void
ngx_http_egress_forward_read_body(ngx_http_request_t *r)
{
    int                         err;
    socklen_t                   len;
    ngx_connection_t           *c;
    ngx_http_egress_ctx_t      *ctx;
    ngx_http_egress_forward_t  *fwd;

    c = r->connection;

    err = 0;
    len = sizeof(int);

    if (c->read->pending_eof
        && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == 0
        && err)
    {
        ngx_log_error(NGX_LOG_INFO, c->log, err,
                      "client closed connection while sending body");

        c->read->error = 1;
        c->error = 1;

        ngx_http_egress_forward_gone(r);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);
    fwd = ctx->forward;

    fwd->read_body(r);
}


/*
 * An origin that has seen enough answers and closes.  The failed write is no
 * failure then: the answer is there to be read, perhaps before the error that
 * the reset made of the rest.
 */

static ngx_int_t
ngx_http_egress_forward_send(ngx_http_egress_forward_t *fwd, ngx_chain_t *out)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    rc = ngx_chain_writer(&fwd->request->upstream->writer, out);

    c = fwd->request->upstream->peer.connection;

    if (rc != NGX_ERROR || !fwd->body || c->sent == 0) {
        return rc;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "http egress origin takes no more of the body");

    fwd->unwritable = 1;

    c->read->ready = 1;
    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_egress_forward_chunks(ngx_http_egress_forward_t *fwd,
    ngx_chain_t *in, ngx_chain_t **out)
{
    off_t         size;
    ngx_buf_t    *b, *head;
    ngx_uint_t    last;
    ngx_chain_t  *cl, **ll;

    *out = NULL;
    ll = out;

    /* the head of the request comes first, and is none of it */

    if (!fwd->head_out) {
        fwd->head_out = 1;

        if (ngx_http_egress_forward_add(fwd, &ll, in->buf) != NGX_OK) {
            return NGX_ERROR;
        }

        in = in->next;
    }

    size = 0;
    last = 0;

    for (cl = in; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
        last |= cl->buf->last_buf;
    }

    if (size) {
        head = ngx_http_egress_forward_add_buf(fwd, &ll);
        if (head == NULL) {
            return NGX_ERROR;
        }

        head->last = ngx_sprintf(head->last, "%xO" CRLF, size);

        for (cl = in; cl; cl = cl->next) {
            if (ngx_buf_size(cl->buf)
                && ngx_http_egress_forward_add(fwd, &ll, cl->buf) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (size == 0 && !last) {
        return NGX_OK;
    }

    b = ngx_http_egress_forward_add_buf(fwd, &ll);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (size) {
        b->last = ngx_cpymem(b->last, CRLF, 2);
    }

    if (last) {
        b->last = ngx_cpymem(b->last, "0" CRLF CRLF, 5);
        b->last_buf = 1;
    }

    b->flush = 1;

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_egress_forward_add_buf(ngx_http_egress_forward_t *fwd,
    ngx_chain_t ***ll)
{
    u_char       *start;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(fwd->request->pool, &fwd->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;
    start = b->start;

    if (start == NULL) {
        start = ngx_palloc(fwd->request->pool, NGX_HTTP_EGRESS_CHUNK_SIZE);
        if (start == NULL) {
            return NULL;
        }
    }

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = start;
    b->pos = start;
    b->last = start;
    b->end = start + NGX_HTTP_EGRESS_CHUNK_SIZE;
    b->temporary = 1;
    b->tag = fwd->request->upstream->output.tag;

    cl->next = NULL;
    **ll = cl;
    *ll = &cl->next;

    return b;
}


static ngx_int_t
ngx_http_egress_forward_add(ngx_http_egress_forward_t *fwd,
    ngx_chain_t ***ll, ngx_buf_t *buf)
{
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(fwd->request->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = buf;
    cl->next = NULL;

    **ll = cl;
    *ll = &cl->next;

    return NGX_OK;
}
