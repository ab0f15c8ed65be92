
/*
 * Copyright (C) ngx_egress authors
 *
 * The head of the request as the origin gets it: origin-form, without what
 * ends at a proxy, Host and framing anew.
 */


#include "ngx_http_egress_forward.h"


/* Counts with p == NULL, writes otherwise. */
typedef struct {
    u_char    *p;
    size_t     len;
} ngx_http_egress_text_t;


static ngx_uint_t ngx_http_egress_forward_read_headers(
    ngx_http_egress_forward_t *fwd);
static ngx_uint_t ngx_http_egress_forward_read_header(
    ngx_http_egress_forward_t *fwd, ngx_table_elt_t *h);
static ngx_uint_t ngx_http_egress_forward_is_loop(
    ngx_http_egress_forward_t *fwd, ngx_str_t *via);
static ngx_int_t ngx_http_egress_forward_uri(ngx_http_egress_forward_t *fwd);
static ngx_chain_t *ngx_http_egress_forward_body_bufs(ngx_http_request_t *r);

static void ngx_http_egress_forward_write(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text);
static void ngx_http_egress_forward_write_host(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);
static void ngx_http_egress_forward_write_headers(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);
static ngx_uint_t ngx_http_egress_forward_keeps(
    ngx_http_egress_forward_t *fwd, ngx_table_elt_t *h);
static void ngx_http_egress_forward_write_framing(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);
static void ngx_http_egress_forward_write_connection(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);
static void ngx_http_egress_forward_write_via(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);
static void ngx_http_egress_forward_write_forwarded(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);
static void ngx_http_egress_forward_write_client(
    ngx_http_egress_forward_t *fwd, ngx_http_egress_text_t *text);

static void ngx_http_egress_put(ngx_http_egress_text_t *text, u_char *data,
    size_t len);
static void ngx_http_egress_put_str(ngx_http_egress_text_t *text,
    ngx_str_t *s);
static void ngx_http_egress_put_number(ngx_http_egress_text_t *text, off_t n);

#define ngx_http_egress_puts(text, s)                                         \
    ngx_http_egress_put(text, (u_char *) s, sizeof(s) - 1)


ngx_uint_t
ngx_http_egress_forward_check(ngx_http_egress_forward_t *fwd)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = fwd->request;

    fwd->max_forwards = -1;
    fwd->body = (r->headers_in.content_length_n > 0 || r->headers_in.chunked);

    rc = ngx_http_egress_nominate(r->pool, &r->headers_in.headers,
                                  &fwd->nominated);

    if (rc == NGX_ERROR) {
        return NGX_EGRESS_INTERNAL;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent too many names in \"Connection\"");
        return NGX_EGRESS_BAD_REQUEST;
    }

    if (ngx_http_egress_forward_uri(fwd) != NGX_OK) {
        return NGX_EGRESS_INTERNAL;
    }

    return ngx_http_egress_forward_read_headers(fwd);
}


static ngx_uint_t
ngx_http_egress_forward_read_headers(ngx_http_egress_forward_t *fwd)
{
    ngx_uint_t        i, reason;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_http_egress_each_header(&fwd->request->headers_in.headers, part, i, h)
    {
        reason = ngx_http_egress_forward_read_header(fwd, h);

        if (reason) {
            return reason;
        }
    }

    return NGX_EGRESS_NONE;
}


static ngx_uint_t
ngx_http_egress_forward_read_header(ngx_http_egress_forward_t *fwd,
    ngx_table_elt_t *h)
{
    ngx_http_request_t  *r;

    r = fwd->request;

    switch (ngx_http_egress_header(h->lowcase_key, h->key.len)) {

    case NGX_HTTP_EGRESS_TE:
        if (r->http_version >= NGX_HTTP_VERSION_11
            && ngx_http_egress_list_has(&h->value, "trailers"))
        {
            fwd->trailers = 1;
        }

        break;

    case NGX_HTTP_EGRESS_UPGRADE:

        /* "h2c" would put requests behind the back of this proxy */

        if (r->http_version >= NGX_HTTP_VERSION_11
            && fwd->nominated.upgrade
            && !ngx_http_egress_list_has(&h->value, "h2c"))
        {
            fwd->upgrade = 1;
        }

        break;

    case NGX_HTTP_EGRESS_EXPECT:
        if (fwd->body
            && r->http_version >= NGX_HTTP_VERSION_11
            && ngx_http_egress_list_has(&h->value, "100-continue"))
        {
            fwd->expect = 1;
        }

        break;

    case NGX_HTTP_EGRESS_MAX_FORWARDS:
        if (r->method & (NGX_HTTP_OPTIONS|NGX_HTTP_TRACE)) {
            fwd->max_forwards = ngx_atoi(h->value.data, h->value.len);
        }

        break;

    case NGX_HTTP_EGRESS_VIA:
        if (fwd->conf->via
            && ngx_http_egress_forward_is_loop(fwd, &h->value))
        {
            return NGX_EGRESS_LOOP;
        }

        break;

    default:
        break;
    }

    return NGX_EGRESS_NONE;
}


/* Members are "1.1 pseudonym (comment)" or "HTTP/1.1 pseudonym". */

static ngx_uint_t
ngx_http_egress_forward_is_loop(ngx_http_egress_forward_t *fwd,
    ngx_str_t *via)
{
    u_char                      *p, *last;
    ngx_str_t                    member, *id;
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(fwd->request, ngx_http_egress_module);
    id = &elcf->server_id;

    p = via->data;

    while (ngx_http_egress_list_next(&p, via->data + via->len, &member)
           == NGX_OK)
    {
        last = member.data + member.len;

        while (member.data < last && *member.data > ' ') {
            member.data++;
        }

        while (member.data < last && *member.data <= ' ') {
            member.data++;
        }

        if ((size_t) (last - member.data) < id->len
            || ngx_strncasecmp(member.data, id->data, id->len) != 0)
        {
            continue;
        }

        if (member.data + id->len == last || member.data[id->len] <= ' ') {
            return 1;
        }
    }

    return 0;
}


/*
 * The bytes behind the authority, as they are, up to a fragment, which is not
 * for servers (RFC 9112, section 3.2).  If there are none, the core's parser
 * points to a slash of "//".
 */

static ngx_int_t
ngx_http_egress_forward_uri(ngx_http_egress_forward_t *fwd)
{
    u_char              *p;
    ngx_http_request_t  *r;

    r = fwd->request;
    fwd->uri = r->unparsed_uri;

    if (fwd->uri.len && fwd->uri.data < r->host_start) {

        if (r->method == NGX_HTTP_OPTIONS) {
            ngx_str_set(&fwd->uri, "*");

        } else {
            ngx_str_set(&fwd->uri, "/");
        }

        return NGX_OK;
    }

    p = ngx_strlchr(fwd->uri.data, fwd->uri.data + fwd->uri.len, '#');
    if (p) {
        fwd->uri.len = p - fwd->uri.data;
    }

    if (fwd->uri.len && fwd->uri.data[0] == '/') {
        return NGX_OK;
    }

    /* "?query" */

    p = ngx_pnalloc(r->pool, fwd->uri.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = '/';
    ngx_memcpy(p + 1, fwd->uri.data, fwd->uri.len);

    fwd->uri.data = p;
    fwd->uri.len++;

    return NGX_OK;
}


ngx_int_t
ngx_http_egress_forward_create_request(ngx_http_request_t *r)
{
    ngx_buf_t                  *b;
    ngx_chain_t                *cl;
    ngx_http_egress_ctx_t      *ctx;
    ngx_http_egress_text_t      text;
    ngx_http_egress_forward_t  *fwd;

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);
    fwd = ctx->forward;

    fwd->chunked_out = (r->headers_in.chunked && r->reading_body);

    text.p = NULL;
    text.len = 0;

    ngx_http_egress_forward_write(fwd, &text);

    b = ngx_create_temp_buf(r->pool, text.len);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    text.p = b->last;

    ngx_http_egress_forward_write(fwd, &text);

    b->last = text.p;
    b->flush = 1;

    fwd->request_size = b->last - b->pos;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "http egress request:%N\"%*s\"", fwd->request_size,
                   b->pos);

    cl->buf = b;
    cl->next = NULL;

    /* what is read bit by bit is added by the core itself */

    if (!r->request_body_no_buffering) {
        cl->next = ngx_http_egress_forward_body_bufs(r);

        if (cl->next == NGX_CHAIN_ERROR) {
            return NGX_ERROR;
        }
    }

    r->upstream->request_bufs = cl;

    return NGX_OK;
}


/* A body that was read already, in buffers that may be sent twice. */

static ngx_chain_t *
ngx_http_egress_forward_body_bufs(ngx_http_request_t *r)
{
    ngx_buf_t    *b;
    ngx_chain_t  *in, *cl, *out, **ll;

    ll = &out;

    for (in = r->request_body ? r->request_body->bufs : NULL;
         in;
         in = in->next)
    {
        b = ngx_alloc_buf(r->pool);
        cl = ngx_alloc_chain_link(r->pool);

        if (b == NULL || cl == NULL) {
            return NGX_CHAIN_ERROR;
        }

        *b = *in->buf;
        b->start = b->pos;

        cl->buf = b;

        *ll = cl;
        ll = &cl->next;
    }

    *ll = NULL;

    return out;
}


static void
ngx_http_egress_forward_write(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    ngx_http_egress_put_str(text, &fwd->request->method_name);
    ngx_http_egress_puts(text, " ");
    ngx_http_egress_put_str(text, &fwd->uri);
    ngx_http_egress_puts(text, " HTTP/1.1" CRLF);

    ngx_http_egress_forward_write_host(fwd, text);
    ngx_http_egress_forward_write_headers(fwd, text);
    ngx_http_egress_forward_write_framing(fwd, text);

    if (fwd->expect) {
        ngx_http_egress_puts(text, "Expect: 100-continue" CRLF);
    }

    if (fwd->max_forwards > 0) {
        ngx_http_egress_puts(text, "Max-Forwards: ");
        ngx_http_egress_put_number(text, fwd->max_forwards - 1);
        ngx_http_egress_puts(text, CRLF);
    }

    if (fwd->conf->via) {
        ngx_http_egress_forward_write_via(fwd, text);
    }

    if (fwd->conf->forwarded != NGX_HTTP_EGRESS_FORWARDED_OFF) {
        ngx_http_egress_forward_write_forwarded(fwd, text);
    }

    ngx_http_egress_forward_write_connection(fwd, text);

    ngx_http_egress_puts(text, CRLF);
}


/* RFC 9112, section 3.2.2: what the client says in Host does not count. */

static void
ngx_http_egress_forward_write_host(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    u_char               buf[NGX_EGRESS_ADDR_LEN];
    ngx_table_elt_t     *host;
    ngx_egress_addr_t    addr;

    host = fwd->request->headers_in.host;

    ngx_http_egress_puts(text, "Host: ");

    if (fwd->conf->custom_host && host) {
        ngx_http_egress_put_str(text, &host->value);

    } else {
        addr = fwd->task->target;

        if (addr.port == (fwd->https ? 443 : 80)) {
            addr.port = 0;
        }

        ngx_http_egress_put(text, buf,
                            ngx_egress_addr_print(buf, &addr) - buf);
    }

    ngx_http_egress_puts(text, CRLF);
}


static void
ngx_http_egress_forward_write_headers(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_http_egress_each_header(&fwd->request->headers_in.headers, part, i, h)
    {
        if (!ngx_http_egress_forward_keeps(fwd, h)) {
            continue;
        }

        ngx_http_egress_put_str(text, &h->key);
        ngx_http_egress_puts(text, ": ");
        ngx_http_egress_put_str(text, &h->value);
        ngx_http_egress_puts(text, CRLF);
    }
}


static ngx_uint_t
ngx_http_egress_forward_keeps(ngx_http_egress_forward_t *fwd,
    ngx_table_elt_t *h)
{
    switch (ngx_http_egress_header(h->lowcase_key, h->key.len)) {

    case NGX_HTTP_EGRESS_END_TO_END:
    case NGX_HTTP_EGRESS_VIA:
        break;

    case NGX_HTTP_EGRESS_MAX_FORWARDS:
        if (fwd->max_forwards > 0) {
            return 0;
        }

        break;

    case NGX_HTTP_EGRESS_UPGRADE:
        return fwd->upgrade;

    case NGX_HTTP_EGRESS_FORWARDED:
        if (fwd->conf->steal_forwarded
            || fwd->conf->forwarded == NGX_HTTP_EGRESS_FORWARDED_STANDARD)
        {
            return 0;
        }

        break;

    case NGX_HTTP_EGRESS_X_FORWARDED_FOR:
        if (fwd->conf->steal_forwarded
            || fwd->conf->forwarded == NGX_HTTP_EGRESS_FORWARDED_CLASSIC)
        {
            return 0;
        }

        break;

    default:
        return 0;
    }

    return !ngx_http_egress_is_path_header(fwd->request, h)
           && !ngx_http_egress_is_nominated(&fwd->nominated, &h->key);
}


/*
 * As long as a body of chunks is being read its length is not known; later
 * the core has counted it.
 */

static void
ngx_http_egress_forward_write_framing(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    ngx_http_request_t  *r;

    r = fwd->request;

    if (fwd->chunked_out) {
        ngx_http_egress_puts(text, "Transfer-Encoding: chunked" CRLF);
        return;
    }

    if (r->headers_in.content_length_n >= 0) {
        ngx_http_egress_puts(text, "Content-Length: ");
        ngx_http_egress_put_number(text, r->headers_in.content_length_n);
        ngx_http_egress_puts(text, CRLF);
    }
}


static void
ngx_http_egress_forward_write_connection(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    if (fwd->trailers) {
        ngx_http_egress_puts(text, "TE: trailers" CRLF);
    }

    if (!fwd->trailers && !fwd->upgrade && fwd->conf->keepalive) {
        return;
    }

    ngx_http_egress_puts(text, "Connection: ");

    if (fwd->upgrade) {
        ngx_http_egress_puts(text, "upgrade");

    } else if (fwd->conf->keepalive == 0) {
        ngx_http_egress_puts(text, "close");

    } else {
        ngx_http_egress_puts(text, "TE" CRLF);
        return;
    }

    if (fwd->trailers) {
        ngx_http_egress_puts(text, ", TE");
    }

    ngx_http_egress_puts(text, CRLF);
}


static void
ngx_http_egress_forward_write_via(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(fwd->request, ngx_http_egress_module);

    if (fwd->request->http_version == NGX_HTTP_VERSION_10) {
        ngx_http_egress_puts(text, "Via: 1.0 ");

    } else {
        ngx_http_egress_puts(text, "Via: 1.1 ");
    }

    ngx_http_egress_put_str(text, &elcf->server_id);
    ngx_http_egress_puts(text, CRLF);
}


/* One line with what the client said before: many servers look at one only. */

static void
ngx_http_egress_forward_write_forwarded(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    ngx_uint_t                 i;
    ngx_list_part_t           *part;
    ngx_table_elt_t           *h;
    ngx_http_egress_header_e   kind;

    if (fwd->conf->forwarded == NGX_HTTP_EGRESS_FORWARDED_STANDARD) {
        kind = NGX_HTTP_EGRESS_FORWARDED;
        ngx_http_egress_puts(text, "Forwarded: ");

    } else {
        kind = NGX_HTTP_EGRESS_X_FORWARDED_FOR;
        ngx_http_egress_puts(text, "X-Forwarded-For: ");
    }

    ngx_http_egress_each_header(&fwd->request->headers_in.headers, part, i, h)
    {
        if (ngx_http_egress_header(h->lowcase_key, h->key.len) == kind
            && h->value.len
            && !fwd->conf->steal_forwarded
            && !ngx_http_egress_is_nominated(&fwd->nominated, &h->key))
        {
            ngx_http_egress_put_str(text, &h->value);
            ngx_http_egress_puts(text, ", ");
        }
    }

    ngx_http_egress_forward_write_client(fwd, text);

    ngx_http_egress_puts(text, CRLF);
}


static void
ngx_http_egress_forward_write_client(ngx_http_egress_forward_t *fwd,
    ngx_http_egress_text_t *text)
{
    ngx_uint_t         standard;
    ngx_connection_t  *c;

    c = fwd->request->connection;
    standard = (fwd->conf->forwarded == NGX_HTTP_EGRESS_FORWARDED_STANDARD);

    if (standard) {
        ngx_http_egress_puts(text, "for=");
    }

    switch (c->sockaddr->sa_family) {

    case AF_INET:
        ngx_http_egress_put_str(text, &c->addr_text);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        if (standard) {
            ngx_http_egress_puts(text, "\"[");
        }

        ngx_http_egress_put_str(text, &c->addr_text);

        if (standard) {
            ngx_http_egress_puts(text, "]\"");
        }

        break;
#endif

    default:
        ngx_http_egress_puts(text, "unknown");
    }
}


static void
ngx_http_egress_put(ngx_http_egress_text_t *text, u_char *data, size_t len)
{
    if (text->p) {
        text->p = ngx_cpymem(text->p, data, len);
        return;
    }

    text->len += len;
}


static void
ngx_http_egress_put_str(ngx_http_egress_text_t *text, ngx_str_t *s)
{
    ngx_http_egress_put(text, s->data, s->len);
}


static void
ngx_http_egress_put_number(ngx_http_egress_text_t *text, off_t n)
{
    u_char  buf[NGX_OFF_T_LEN];

    ngx_http_egress_put(text, buf, ngx_sprintf(buf, "%O", n) - buf);
}
