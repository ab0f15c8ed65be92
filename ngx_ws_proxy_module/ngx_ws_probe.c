
/*
 * Copyright (C) ngx_egress authors
 *
 * One probe: a connection to a server, with TLS if asked for, that ends in a
 * verdict.  What is said on it is the business of the check's type.
 */


#include <ngx_ws_health.h>


#define NGX_WS_PROBE_BUFFER         8192
#define NGX_WS_PROBE_BUFFER_MAX     (256 * 1024)


static void ngx_ws_probe_connected(ngx_ws_probe_t *probe);
static ngx_int_t ngx_ws_probe_test(ngx_ws_probe_t *probe);
#if (NGX_HTTP_SSL)
static void ngx_ws_probe_ssl(ngx_ws_probe_t *probe);
static void ngx_ws_probe_ssl_done(ngx_connection_t *c);
static ngx_int_t ngx_ws_probe_ssl_name(ngx_ws_probe_t *probe,
    ngx_connection_t *c);
#endif
static void ngx_ws_probe_open(ngx_ws_probe_t *probe);
static void ngx_ws_probe_write_handler(ngx_event_t *ev);
static void ngx_ws_probe_read_handler(ngx_event_t *ev);
static ngx_int_t ngx_ws_probe_grow(ngx_ws_probe_t *probe);


static ngx_ws_probe_type_t  ngx_ws_probe_types[] = {
    { ngx_string("http"), ngx_ws_probe_http_open, ngx_ws_probe_http_read },
    { ngx_string("websocket"), ngx_ws_probe_ws_open, ngx_ws_probe_ws_read },
    { ngx_string("tcp"), ngx_ws_probe_tcp_open, ngx_ws_probe_tcp_read },
    { ngx_null_string, NULL, NULL }
};


ngx_ws_probe_type_t *
ngx_ws_probe_type(ngx_str_t *name)
{
    ngx_ws_probe_type_t  *type;

    for (type = ngx_ws_probe_types; type->name.len; type++) {

        if (type->name.len == name->len
            && ngx_strncmp(type->name.data, name->data, name->len) == 0)
        {
            return type;
        }
    }

    return NULL;
}


ngx_ws_probe_t *
ngx_ws_probe_create(ngx_ws_health_conf_t *conf,
    ngx_ws_health_target_t *target, ngx_uint_t i)
{
    ngx_pool_t             *pool;
    ngx_ws_probe_t         *probe;
    struct sockaddr        *sa;
    ngx_ws_health_check_t  *check;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    probe = ngx_pcalloc(pool, sizeof(ngx_ws_probe_t));
    sa = ngx_palloc(pool, target->socklen);

    if (probe == NULL || sa == NULL) {
        goto failed;
    }

    check = conf->checks->elts;

    probe->pool = pool;
    probe->conf = conf;
    probe->check = &check[i];
    probe->state = target->states[i];
    probe->started = ngx_current_msec;
    ngx_memcpy(probe->id, target->ids[i], 16);

    probe->name.len = target->name.len;
    probe->name.data = ngx_pstrdup(pool, &target->name);

    probe->in = ngx_create_temp_buf(pool, NGX_WS_PROBE_BUFFER);

    if (probe->name.data == NULL || probe->in == NULL) {
        goto failed;
    }

    ngx_memcpy(sa, target->sockaddr, target->socklen);

    if (probe->check->port) {
        ngx_inet_set_port(sa, probe->check->port);
    }

    probe->log = *ngx_cycle->log;
    probe->log.action = "checking the health of a server";

    probe->peer.sockaddr = sa;
    probe->peer.socklen = target->socklen;
    probe->peer.name = &probe->name;
    probe->peer.get = ngx_event_get_peer;
    probe->peer.log = &probe->log;
    probe->peer.log_error = NGX_ERROR_INFO;

    return probe;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_ws_probe_start(ngx_ws_probe_t *probe)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    rc = ngx_event_connect_peer(&probe->peer);

    if (rc == NGX_ERROR || rc == NGX_DECLINED || rc == NGX_BUSY) {
        ngx_ws_probe_verdict(probe, "cannot connect");
        ngx_ws_probe_close(probe);
        return;
    }

    c = probe->peer.connection;

    c->data = probe;
    c->pool = probe->pool;
    c->log = &probe->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_ws_probe_read_handler;
    c->write->handler = ngx_ws_probe_write_handler;
    c->read->cancelable = 1;

    /* a worker that is to exit closes it: see the read handler */

    c->idle = 1;

    ngx_add_timer(c->read, probe->check->timeout);

    if (rc == NGX_OK) {
        ngx_ws_probe_connected(probe);
    }
}


static void
ngx_ws_probe_connected(ngx_ws_probe_t *probe)
{
    if (ngx_ws_probe_test(probe) != NGX_OK) {
        ngx_ws_probe_verdict(probe, (char *) probe->text);
        ngx_ws_probe_close(probe);
        return;
    }

    (void) ngx_tcp_nodelay(probe->peer.connection);

#if (NGX_HTTP_SSL)

    if (probe->check->ssl) {
        ngx_ws_probe_ssl(probe);
        return;
    }

#endif

    ngx_ws_probe_open(probe);
}


static ngx_int_t
ngx_ws_probe_test(ngx_ws_probe_t *probe)
{
    int         err;
    u_char     *p, *last;
    socklen_t   len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(probe->peer.connection->fd, SOL_SOCKET, SO_ERROR,
                   (void *) &err, &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    if (err == 0) {
        return NGX_OK;
    }

    last = probe->text + NGX_WS_HEALTH_REASON - 1;

    p = ngx_snprintf(probe->text, last - probe->text,
                     "cannot connect (%d: ", err);
    p = ngx_strerror(err, p, last - p - 1);
    p = ngx_snprintf(p, last - p, ")");
    *p = '\0';

    return NGX_ERROR;
}


#if (NGX_HTTP_SSL)

static void
ngx_ws_probe_ssl(ngx_ws_probe_t *probe)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = probe->peer.connection;

    if (ngx_ssl_create_connection(probe->check->ssl, c, NGX_SSL_CLIENT)
        != NGX_OK
        || ngx_ws_probe_ssl_name(probe, c) != NGX_OK)
    {
        ngx_ws_probe_verdict(probe, "cannot begin a TLS handshake");
        ngx_ws_probe_close(probe);
        return;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_ws_probe_ssl_done;
        return;
    }

    ngx_ws_probe_ssl_done(c);
}


static void
ngx_ws_probe_ssl_done(ngx_connection_t *c)
{
    const char      *error;
    ngx_ws_probe_t  *probe;

    probe = c->data;
    error = NULL;

    if (c->close) {
        ngx_ws_probe_close(probe);
        return;
    }

    if (c->read->timedout) {
        error = "timed out in a TLS handshake";

    } else if (!c->ssl->handshaked) {
        error = "TLS handshake failed";

    } else if (probe->check->ssl_verify) {

        if (SSL_get_verify_result(c->ssl->connection) != X509_V_OK) {
            error = "certificate is not trusted";

        } else if (ngx_ssl_check_host(c, probe->check->ssl_name.len
                                         ? &probe->check->ssl_name
                                         : &probe->conf->upstream->host)
                   != NGX_OK)
        {
            error = "certificate is for another name";
        }
    }

    if (error) {
        ngx_ws_probe_verdict(probe, error);
        ngx_ws_probe_close(probe);
        return;
    }

    c->read->handler = ngx_ws_probe_read_handler;
    c->write->handler = ngx_ws_probe_write_handler;

    ngx_ws_probe_open(probe);
}


static ngx_int_t
ngx_ws_probe_ssl_name(ngx_ws_probe_t *probe, ngx_connection_t *c)
{
#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME
    u_char     *name;
    in_addr_t   addr;
    ngx_str_t   host;

    host = probe->check->ssl_name.len ? probe->check->ssl_name
                                      : probe->conf->upstream->host;

    /* no address goes into SNI: RFC 6066, 3 */

    addr = ngx_inet_addr(host.data, host.len);

    if (host.len == 0 || addr != INADDR_NONE || host.data[0] == '[') {
        return NGX_OK;
    }

    name = ngx_pnalloc(probe->pool, host.len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(name, host.data, host.len + 1);

    if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) name) == 0) {
        return NGX_ERROR;
    }
#endif

    return NGX_OK;
}

#endif


static void
ngx_ws_probe_open(ngx_ws_probe_t *probe)
{
    probe->check->type->open(probe);
}


static void
ngx_ws_probe_write_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_ws_probe_t    *probe;

    c = ev->data;
    probe = c->data;

    if (probe->out) {
        ngx_ws_probe_send(probe);
        return;
    }

    /* the connection has just been made */

    if (!probe->judged && probe->step == 0
#if (NGX_HTTP_SSL)
        && c->ssl == NULL
#endif
       )
    {
        ngx_ws_probe_connected(probe);
    }
}


void
ngx_ws_probe_send(ngx_ws_probe_t *probe)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = probe->peer.connection;
    b = probe->out;

    while (b->pos < b->last) {

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_ws_probe_verdict(probe, "cannot send");
            ngx_ws_probe_close(probe);
            return;
        }

        b->pos += n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_ws_probe_verdict(probe, "internal error");
        ngx_ws_probe_close(probe);
        return;
    }

    if (b->pos == b->last && c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


static void
ngx_ws_probe_read_handler(ngx_event_t *ev)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_uint_t         eof;
    ngx_connection_t  *c;
    ngx_ws_probe_t    *probe;

    c = ev->data;
    probe = c->data;

    if (c->close) {
        ngx_ws_probe_close(probe);
        return;
    }

    if (ev->timedout) {
        ngx_ws_probe_verdict(probe, probe->step ? "timed out"
                                                : "timed out in connect");
        ngx_ws_probe_close(probe);
        return;
    }

    if (probe->step == 0) {

        /* an error of connect(): the write event tells */

        return;
    }

    eof = 0;

    while (!eof) {

        if (probe->in->last == probe->in->end
            && ngx_ws_probe_grow(probe) != NGX_OK)
        {
            eof = 1;
            break;
        }

        b = probe->in;
        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            eof = 1;
            break;
        }

        b->last += n;
    }

    if (!eof && ngx_handle_read_event(c->read, 0) != NGX_OK) {
        eof = 1;
    }

    probe->check->type->read(probe, eof);
}


/* what does not fit is not looked at */

static ngx_int_t
ngx_ws_probe_grow(ngx_ws_probe_t *probe)
{
    size_t      size;
    ngx_buf_t  *b;

    size = probe->in->end - probe->in->start;

    if (size >= NGX_WS_PROBE_BUFFER_MAX) {
        return NGX_DECLINED;
    }

    b = ngx_create_temp_buf(probe->pool, size * 4);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, probe->in->pos,
                         probe->in->last - probe->in->pos);
    (void) ngx_pfree(probe->pool, probe->in->start);

    probe->in = b;

    return NGX_OK;
}


void
ngx_ws_probe_verdict(ngx_ws_probe_t *probe, const char *reason)
{
    if (probe->judged) {
        return;
    }

    probe->judged = 1;
    ngx_ws_health_done(probe, reason);
}


void
ngx_ws_probe_close(ngx_ws_probe_t *probe)
{
    ngx_connection_t  *c;

    if (!probe->judged) {
        probe->judged = 1;
        ngx_ws_health_release(ngx_ws_health_zone(), probe);
    }

    ngx_queue_remove(&probe->queue);

    c = probe->peer.connection;

    if (c) {

#if (NGX_HTTP_SSL)

        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }

#endif

        ngx_close_connection(c);
    }

    ngx_destroy_pool(probe->pool);
}
