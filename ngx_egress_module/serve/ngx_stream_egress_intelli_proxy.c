
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_intelli_proxy: one port for several protocols.  Looks at the first
 * bytes, which stay in the socket, and hands the connection over to the
 * server of this nginx that listens on the address configured for the
 * protocol; that server accepts it as its own.
 */


#include "ngx_stream_egress.h"
#include "../proto/ngx_egress_detect.h"

#include <poll.h>


/* level-triggered methods report bytes that were only looked at for ever */
#define NGX_STREAM_EGRESS_INTELLI_PACE  20


typedef enum {
    ngx_stream_egress_intelli_http = 0,
    ngx_stream_egress_intelli_socks,
    ngx_stream_egress_intelli_tls,
    ngx_stream_egress_intelli_servers
} ngx_stream_egress_intelli_e;


typedef struct {
    ngx_addr_t           addr;              /* socklen 0: not set */
    ngx_uint_t           index;             /* in listening */
} ngx_stream_egress_intelli_server_t;


typedef struct {
    ngx_stream_egress_intelli_server_t
                         server[ngx_stream_egress_intelli_servers];
    ngx_array_t         *listening;         /* of our cycle */
    ngx_egress_object_t  where;
    ngx_msec_t           timeout;
} ngx_stream_egress_intelli_conf_t;


typedef struct {
    ngx_msec_t           deadline;
} ngx_stream_egress_intelli_t;


/* a search for the server of stream { } that gets what goes to an address */
typedef struct {
    ngx_addr_t          *addr;
    ngx_uint_t           found;             /* 2: at this very address */
    ngx_uint_t           intelli;           /* and it would pass it on */
} ngx_stream_egress_intelli_search_t;


static void ngx_stream_egress_intelli_handler(ngx_stream_session_t *s);
static void ngx_stream_egress_intelli_read(ngx_event_t *rev);
static ngx_uint_t ngx_stream_egress_intelli_eof(ngx_event_t *rev);
static ngx_int_t ngx_stream_egress_intelli_wait(ngx_stream_session_t *s);
static void ngx_stream_egress_intelli_write(ngx_event_t *wev);
static void ngx_stream_egress_intelli_detected(ngx_stream_session_t *s,
    ngx_egress_detect_e protocol);
static void ngx_stream_egress_intelli_hand_over(ngx_stream_session_t *s,
    ngx_addr_t *addr, ngx_listening_t *ls);
static ngx_listening_t *ngx_stream_egress_intelli_find(ngx_cycle_t *cycle,
    ngx_addr_t *addr);
static ngx_uint_t ngx_stream_egress_intelli_for_all(struct sockaddr *sa,
    ngx_addr_t *addr);

static ngx_int_t ngx_stream_egress_intelli_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_stream_egress_intelli_no_tls(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data);
static ngx_int_t ngx_stream_egress_intelli_no_loop(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data);
static ngx_int_t ngx_stream_egress_intelli_search(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data);
static void *ngx_stream_egress_intelli_create_conf(ngx_conf_t *cf);
static char *ngx_stream_egress_intelli_merge_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_stream_egress_intelli_proxy(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_egress_intelli_addr(ngx_conf_t *cf, ngx_str_t *value,
    ngx_addr_t *addr);
static char *ngx_stream_egress_intelli_check(ngx_conf_t *cf, void *data);


static ngx_str_t  ngx_stream_egress_intelli_keys[] = {
    ngx_string("http_server="),
    ngx_string("socks_server="),
    ngx_string("tls_server=")
};


static ngx_command_t  ngx_stream_egress_intelli_commands[] = {

    { ngx_string("egress_intelli_proxy"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE123,
      ngx_stream_egress_intelli_proxy,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_protocol_detection_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_egress_intelli_conf_t, timeout),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_egress_intelli_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_stream_egress_intelli_postconfiguration, /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_egress_intelli_create_conf, /* create server configuration */
    ngx_stream_egress_intelli_merge_conf   /* merge server configuration */
};


ngx_module_t  ngx_stream_egress_intelli_module = {
    NGX_MODULE_V1,
    &ngx_stream_egress_intelli_module_ctx, /* module context */
    ngx_stream_egress_intelli_commands,    /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void
ngx_stream_egress_intelli_handler(ngx_stream_session_t *s)
{
    ngx_connection_t                  *c;
    ngx_stream_egress_intelli_t       *is;
    ngx_stream_egress_intelli_conf_t  *iscf;

    c = s->connection;

    iscf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_intelli_module);

    c->log->action = "detecting protocol";

    if (c->ssl || (c->buffer && c->buffer->pos < c->buffer->last)) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "egress_intelli_proxy needs the bytes of the client in "
                      "the socket: no \"listen ... ssl\", no \"ssl_preread\"");
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    is = ngx_palloc(c->pool, sizeof(ngx_stream_egress_intelli_t));
    if (is == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    is->deadline = ngx_current_msec + iscf->timeout;

    ngx_stream_set_ctx(s, is, ngx_stream_egress_intelli_module);

    c->read->handler = ngx_stream_egress_intelli_read;
    c->write->handler = ngx_stream_egress_intelli_write;

    ngx_add_timer(c->read, iscf->timeout);

    ngx_stream_egress_intelli_read(c->read);
}


static void
ngx_stream_egress_intelli_read(ngx_event_t *rev)
{
    ssize_t                n;
    u_char                 buf[NGX_EGRESS_DETECT_LEN];
    ngx_connection_t      *c;
    ngx_egress_detect_e    protocol;
    ngx_stream_session_t  *s;

    c = rev->data;
    s = c->data;

    if (c->close) {
        ngx_stream_finalize_session(s, NGX_STREAM_OK);
        return;
    }

    n = recv(c->fd, buf, NGX_EGRESS_DETECT_LEN, MSG_PEEK);

    if (n == 0 || (n == -1 && ngx_socket_errno != NGX_EAGAIN)) {
        ngx_stream_finalize_session(s, NGX_STREAM_OK);
        return;
    }

    protocol = NGX_EGRESS_DETECT_MORE;

    if (n > 0) {
        protocol = ngx_egress_detect(buf, n);
    }

    if (protocol != NGX_EGRESS_DETECT_MORE) {
        ngx_stream_egress_intelli_detected(s, protocol);
        return;
    }

    /* nothing more can come after what was seen */

    if (n > 0 && ngx_stream_egress_intelli_eof(rev)) {
        ngx_stream_finalize_session(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    if (ngx_stream_egress_intelli_wait(s) != NGX_OK) {
        ngx_stream_finalize_session(s, NGX_STREAM_OK);
    }
}


/* Level-triggered methods do not tell that the client has ended. */

static ngx_uint_t
ngx_stream_egress_intelli_eof(ngx_event_t *rev)
{
    struct pollfd      pfd;
    ngx_connection_t  *c;

    if (!(ngx_event_flags & NGX_USE_LEVEL_EVENT)) {
        return rev->pending_eof;
    }

    c = rev->data;

    pfd.fd = c->fd;
    pfd.events = POLLRDHUP;
    pfd.revents = 0;

    return poll(&pfd, 1, 0) == 1;
}


static ngx_int_t
ngx_stream_egress_intelli_wait(ngx_stream_session_t *s)
{
    ngx_event_t                  *rev;
    ngx_msec_int_t                left;
    ngx_stream_egress_intelli_t  *is;

    rev = s->connection->read;
    is = ngx_stream_get_module_ctx(s, ngx_stream_egress_intelli_module);

    left = (ngx_msec_int_t) (is->deadline - ngx_current_msec);

    if (left <= 0) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, NGX_ETIMEDOUT,
                      "client sent no protocol that is known");
        return NGX_ERROR;
    }

    rev->timedout = 0;
    rev->ready = 0;

    if (!(ngx_event_flags & NGX_USE_LEVEL_EVENT)) {
        ngx_add_timer(rev, (ngx_msec_t) left);
        return ngx_handle_read_event(rev, 0);
    }

    if (rev->active && ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(rev, ngx_min((ngx_msec_t) left,
                               NGX_STREAM_EGRESS_INTELLI_PACE));

    return NGX_OK;
}


static void
ngx_stream_egress_intelli_write(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_STREAM, wev->log, 0,
                   "egress intelli proxy: client is writable");
}


static void
ngx_stream_egress_intelli_detected(ngx_stream_session_t *s,
    ngx_egress_detect_e protocol)
{
    ngx_listening_t                     *ls;
    ngx_connection_t                    *c;
    ngx_stream_egress_intelli_conf_t    *iscf;
    ngx_stream_egress_intelli_server_t  *server;

    c = s->connection;

    iscf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_intelli_module);

    switch (protocol) {

    case NGX_EGRESS_DETECT_HTTP1:
    case NGX_EGRESS_DETECT_HTTP2:
        server = &iscf->server[ngx_stream_egress_intelli_http];
        break;

    case NGX_EGRESS_DETECT_SOCKS4:
    case NGX_EGRESS_DETECT_SOCKS5:
        server = &iscf->server[ngx_stream_egress_intelli_socks];
        break;

    case NGX_EGRESS_DETECT_TLS:
        server = &iscf->server[ngx_stream_egress_intelli_tls];
        break;

    default:
        server = NULL;
    }

    if (server == NULL || server->addr.socklen == 0) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client speaks a protocol that is not served here");
        ngx_stream_finalize_session(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    /* a worker that quits has closed its sockets, but knows whose they were */

    ls = iscf->listening->elts;

    ngx_stream_egress_intelli_hand_over(s, &server->addr, &ls[server->index]);
}


/*
 * Makes the connection what ngx_event_accept() has made of it, for the other
 * listening socket.  The pool stays, and the session in it, forgotten.
 */

static void
ngx_stream_egress_intelli_hand_over(ngx_stream_session_t *s, ngx_addr_t *addr,
    ngx_listening_t *ls)
{
    ngx_connection_t  *c;

    c = s->connection;

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, c->log, 0,
                   "egress intelli proxy: passed to \"%V\"", &addr->name);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    c->listening = ls;
    c->data = NULL;
    c->buffer = NULL;

    *c->log = ls->log;
    c->log->handler = NULL;
    c->log->data = NULL;

    c->local_sockaddr = addr->sockaddr;
    c->local_socklen = addr->socklen;

    c->read->timedout = 0;
    c->read->ready = 1;

    ls->handler(c);
}


static ngx_listening_t *
ngx_stream_egress_intelli_find(ngx_cycle_t *cycle, ngx_addr_t *addr)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls, *all;

    ls = cycle->listening.elts;
    all = NULL;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].type != SOCK_STREAM) {
            continue;
        }

        if (ngx_cmp_sockaddr(ls[i].sockaddr, ls[i].socklen, addr->sockaddr,
                             addr->socklen, 1)
            == NGX_OK)
        {
            return &ls[i];
        }

        if (all == NULL
            && ngx_stream_egress_intelli_for_all(ls[i].sockaddr, addr))
        {
            all = &ls[i];
        }
    }

    return all;
}


/* one socket may stand for all addresses of a port */

static ngx_uint_t
ngx_stream_egress_intelli_for_all(struct sockaddr *sa, ngx_addr_t *addr)
{
    return ngx_inet_wildcard(sa)
           && sa->sa_family == addr->sockaddr->sa_family
           && ngx_inet_get_port(sa) == ngx_inet_get_port(addr->sockaddr);
}


static ngx_int_t
ngx_stream_egress_intelli_postconfiguration(ngx_conf_t *cf)
{
    if (ngx_stream_egress_each_listen(cf, ngx_stream_egress_intelli_no_tls,
                                      NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_stream_egress_each_listen(cf,
                                     ngx_stream_egress_intelli_no_loop, NULL);
}


static ngx_int_t
ngx_stream_egress_intelli_no_tls(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data)
{
    ngx_stream_egress_intelli_conf_t  *iscf;

    iscf = ls->ctx->srv_conf[ngx_stream_egress_intelli_module.ctx_index];

    if (iscf->where.name.len == 0 || !ls->ssl) {
        return NGX_OK;
    }

    (void) ngx_egress_conf_error(cf, &iscf->where,
                                 "\"egress_intelli_proxy\" cannot be used with "
                                 "\"listen %V ssl\", name a \"tls_server=\" "
                                 "instead,", ls->text);

    return NGX_ERROR;
}


/* A connection must not be handed over to a server that hands it over. */


static ngx_int_t
ngx_stream_egress_intelli_no_loop(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data)
{
    ngx_uint_t                           k;
    ngx_stream_egress_intelli_conf_t    *iscf;
    ngx_stream_egress_intelli_search_t   search;

    iscf = ls->ctx->srv_conf[ngx_stream_egress_intelli_module.ctx_index];

    for (k = 0; k < ngx_stream_egress_intelli_servers; k++) {

        if (iscf->server[k].addr.socklen == 0) {
            continue;
        }

        search.addr = &iscf->server[k].addr;
        search.found = 0;
        search.intelli = 0;

        (void) ngx_stream_egress_each_listen(cf,
                                   ngx_stream_egress_intelli_search, &search);

        if (search.intelli) {
            (void) ngx_egress_conf_error(cf, &iscf->where,
                                "\"%V%V\" leads to an "
                                "\"egress_intelli_proxy\" again",
                                &ngx_stream_egress_intelli_keys[k],
                                &iscf->server[k].addr.name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* an address of its own goes before the unspecified one */

static ngx_int_t
ngx_stream_egress_intelli_search(ngx_conf_t *cf,
    ngx_stream_egress_listen_t *ls, void *data)
{
    ngx_stream_egress_intelli_search_t *search = data;

    ngx_uint_t                         found;
    ngx_addr_t                        *addr;
    ngx_stream_egress_intelli_conf_t  *iscf;

    addr = search->addr;
    found = 0;

    if (ngx_cmp_sockaddr(ls->sockaddr, ls->socklen, addr->sockaddr,
                         addr->socklen, 1)
        == NGX_OK)
    {
        found = 2;

    } else if (ngx_stream_egress_intelli_for_all(ls->sockaddr, addr)) {
        found = 1;
    }

    if (ls->first && !ls->udp && found > search->found) {
        iscf = ls->ctx->srv_conf[ngx_stream_egress_intelli_module.ctx_index];

        search->found = found;
        search->intelli = (iscf->where.name.len != 0);
    }

    return NGX_OK;
}


static void *
ngx_stream_egress_intelli_create_conf(ngx_conf_t *cf)
{
    ngx_stream_egress_intelli_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_egress_intelli_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->server[] = { 0 };
     *     conf->listening = NULL;
     *     conf->where = { 0 };
     */

    conf->timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_stream_egress_intelli_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_egress_intelli_conf_t *prev = parent;
    ngx_stream_egress_intelli_conf_t *conf = child;

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 4000);

    return NGX_CONF_OK;
}


static char *
ngx_stream_egress_intelli_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_egress_intelli_conf_t *iscf = conf;

    char        *rv;
    ngx_str_t   *value, addr;
    ngx_uint_t   i, k;

    rv = ngx_stream_egress_set_handler(cf, ngx_stream_egress_intelli_handler,
                                       0);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; k < ngx_stream_egress_intelli_servers; k++) {
            if (ngx_egress_conf_param(&value[i],
                             (char *) ngx_stream_egress_intelli_keys[k].data,
                             &addr))
            {
                break;
            }
        }

        if (k == ngx_stream_egress_intelli_servers) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (iscf->server[k].addr.socklen) {
            return "names two servers for one protocol";
        }

        rv = ngx_stream_egress_intelli_addr(cf, &addr,
                                            &iscf->server[k].addr);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    iscf->where.name = value[0];
    ngx_egress_object_here(cf, &iscf->where);

    return ngx_egress_conf_defer(cf, ngx_stream_egress_intelli_check, iscf);
}


static char *
ngx_stream_egress_intelli_addr(ngx_conf_t *cf, ngx_str_t *value,
    ngx_addr_t *addr)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.listen = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in address \"%V\"",
                           u.err ? u.err : "no address", value);
        return NGX_CONF_ERROR;
    }

    *addr = u.addrs[0];

    return NGX_CONF_OK;
}


/*
 * http { } may come after stream { }: its listeners are known at the end.  They
 * may still move when those of "reuseport" are added behind them.
 */

static char *
ngx_stream_egress_intelli_check(ngx_conf_t *cf, void *data)
{
    ngx_stream_egress_intelli_conf_t *iscf = data;

    ngx_uint_t                           k;
    ngx_listening_t                     *ls;
    ngx_stream_egress_intelli_server_t  *server;

    iscf->listening = &cf->cycle->listening;

    for (k = 0; k < ngx_stream_egress_intelli_servers; k++) {

        server = &iscf->server[k];

        if (server->addr.socklen == 0) {
            continue;
        }

        ls = ngx_stream_egress_intelli_find(cf->cycle, &server->addr);

        if (ls == NULL) {
            return ngx_egress_conf_error(cf, &iscf->where,
                                         "no server listens on \"%V\", which "
                                         "\"%V%V\" names",
                                         &server->addr.name,
                                         &ngx_stream_egress_intelli_keys[k],
                                         &server->addr.name);
        }

        server->index = ls - (ngx_listening_t *) iscf->listening->elts;
    }

    return NGX_CONF_OK;
}
