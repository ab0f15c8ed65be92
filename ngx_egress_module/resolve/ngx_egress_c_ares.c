
/*
 * Copyright (C) ngx_egress authors
 *
 * Resolver type "c_ares": its directives, and a question of one family asked
 * through ares_getaddrinfo().  Search lists and HOSTALIASES are not used: the
 * name that was judged is the name that is asked.
 */


#include "ngx_egress_c_ares.h"


#define NGX_EGRESS_C_ARES_PORT  53


/*
 * One question under way.  The library cannot forget a single question: one
 * that was cancelled stays with it, and its answer is thrown away.
 */

typedef struct {
    ngx_egress_query_t         *query;     /* NULL: cancelled */
    ngx_egress_channel_t       *channel;
} ngx_egress_c_ares_question_t;


static ngx_int_t ngx_egress_c_ares_query(ngx_egress_query_t *query);
static ngx_int_t ngx_egress_c_ares_localhost(ngx_egress_query_t *query);
static void ngx_egress_c_ares_done(void *arg, int status, int timeouts,
    struct ares_addrinfo *ai);
static void ngx_egress_c_ares_judge(ngx_egress_channel_t *ch, int status);
static ngx_egress_reason_e ngx_egress_c_ares_reason(int status);
static ngx_uint_t ngx_egress_c_ares_addrs(struct ares_addrinfo *ai,
    ngx_uint_t family, ngx_egress_ip_t *addrs, time_t *ttl);
static void ngx_egress_c_ares_cancel(ngx_egress_query_t *query);

static ngx_int_t ngx_egress_c_ares_init_process(ngx_cycle_t *cycle,
    ngx_egress_resolver_t *r);
static void ngx_egress_c_ares_exit_process(ngx_egress_resolver_t *r);

static char *ngx_egress_c_ares_create(ngx_conf_t *cf,
    ngx_egress_resolver_t *r);
static char *ngx_egress_c_ares_init(ngx_conf_t *cf, ngx_egress_resolver_t *r);
static char *ngx_egress_c_ares_join(ngx_conf_t *cf,
    ngx_egress_c_ares_conf_t *cacf);
static char *ngx_egress_c_ares_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_c_ares_bind_ipv4(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_c_ares_bind_ipv6(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_egress_c_ares_commands[] = {

    { ngx_string("server"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_c_ares_server,
      0,
      0,
      NULL },

    { ngx_string("hosts"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, hosts),
      NULL },

    { ngx_string("each_timeout"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, each_timeout),
      NULL },

    { ngx_string("each_tries"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, each_tries),
      NULL },

    { ngx_string("max_timeout"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, max_timeout),
      NULL },

    { ngx_string("round_robin"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, round_robin),
      NULL },

    { ngx_string("socket_send_buffer_size"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, send_buffer),
      NULL },

    { ngx_string("socket_recv_buffer_size"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, recv_buffer),
      NULL },

    { ngx_string("bind_ipv4"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_c_ares_bind_ipv4,
      0,
      0,
      NULL },

    { ngx_string("bind_ipv6"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_c_ares_bind_ipv6,
      0,
      0,
      NULL },

      ngx_null_command
};


ngx_egress_resolver_type_t  ngx_egress_c_ares = {
    ngx_string("c_ares"),
    NGX_EGRESS_RESOLVER_TIMEOUT|NGX_EGRESS_RESOLVER_TTL,
    sizeof(ngx_egress_c_ares_conf_t),
    ngx_egress_c_ares_commands,
    ngx_egress_c_ares_create,
    ngx_egress_c_ares_init,
    ngx_egress_c_ares_init_process,
    ngx_egress_c_ares_exit_process,
    ngx_egress_c_ares_query,
    ngx_egress_c_ares_cancel
};


static ngx_int_t
ngx_egress_c_ares_query(ngx_egress_query_t *query)
{
    ngx_egress_channel_t          *ch;
    struct ares_addrinfo_hints     hints;
    ngx_egress_c_ares_question_t  *question;

    query->data = NULL;

    if (ngx_egress_c_ares_localhost(query) == NGX_OK) {
        return NGX_AGAIN;
    }

    ch = ngx_egress_channel_get(query->resolver->worker);
    if (ch == NULL) {
        return NGX_ERROR;
    }

    question = ngx_alloc(sizeof(ngx_egress_c_ares_question_t),
                         ngx_cycle->log);
    if (question == NULL) {
        return NGX_ERROR;
    }

    question->query = query;
    question->channel = ch;
    query->data = question;

    ngx_memzero(&hints, sizeof(struct ares_addrinfo_hints));

    /* to sort, the library would connect a socket to each address */

    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = query->family;
    hints.ai_socktype = SOCK_STREAM;

    ch->asked++;
    ch->awaited++;

    /* may call back at once, for names in the hosts file */

    ares_getaddrinfo(ch->ares, (char *) query->name.data, NULL, &hints,
                     ngx_egress_c_ares_done, question);

    ngx_egress_channel_settle(ch);

    return NGX_AGAIN;
}


/* RFC 6761, section 6.3; not all versions of the library do it */

static ngx_int_t
ngx_egress_c_ares_localhost(ngx_egress_query_t *query)
{
    u_char           *p;
    ngx_egress_ip_t   ip;

    static ngx_str_t  localhost = ngx_string("localhost");

    if (query->name.len < localhost.len) {
        return NGX_DECLINED;
    }

    p = query->name.data + query->name.len - localhost.len;

    if (ngx_strcmp(p, localhost.data) != 0
        || (p != query->name.data && p[-1] != '.'))
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&ip, sizeof(ngx_egress_ip_t));

    ip.family = query->family;

    if (ip.family == AF_INET) {
        ip.bytes[0] = 127;
        ip.bytes[3] = 1;

    } else {
        ip.bytes[15] = 1;
    }

    ngx_egress_query_done(query, NGX_EGRESS_NONE, &ip, 1,
                          query->resolver->positive_max_ttl);

    return NGX_OK;
}


static void
ngx_egress_c_ares_done(void *arg, int status, int timeouts,
    struct ares_addrinfo *ai)
{
    ngx_egress_c_ares_question_t *question = arg;

    time_t                 ttl;
    ngx_uint_t             n;
    ngx_egress_ip_t        addrs[NGX_EGRESS_RESOLVE_ADDRS];
    ngx_egress_query_t    *query;
    ngx_egress_channel_t  *ch;

    n = 0;
    ttl = 0;
    ch = question->channel;
    query = question->query;

    ngx_free(question);

    if (ch->closing || query == NULL) {

        if (ai) {
            ares_freeaddrinfo(ai);
        }

        return;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "egress c-ares \"%V\" status:%d timeouts:%d ai:%p",
                   &query->name, status, timeouts, ai);

    ch->awaited--;

    ngx_egress_c_ares_judge(ch, status);

    if (ai) {
        n = ngx_egress_c_ares_addrs(ai, query->family, addrs, &ttl);
        ares_freeaddrinfo(ai);
    }

    ngx_egress_query_done(query, ngx_egress_c_ares_reason(status), addrs, n,
                          ttl);
}


/* any answer of a server shows that the channel works */

static void
ngx_egress_c_ares_judge(ngx_egress_channel_t *ch, int status)
{
    switch (status) {

    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        ch->failures++;
        break;

    default:
        ch->failures = 0;
    }
}


static ngx_egress_reason_e
ngx_egress_c_ares_reason(int status)
{
    switch (status) {

    case ARES_SUCCESS:
        return NGX_EGRESS_NONE;

    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return NGX_EGRESS_DNS_NXDOMAIN;

    case ARES_ENODATA:
        return NGX_EGRESS_DNS_NO_ADDRESS;

    case ARES_ETIMEOUT:
        return NGX_EGRESS_DNS_TIMEOUT;

    default:
        return NGX_EGRESS_DNS_ERROR;
    }
}


/* the TTL of an answer is the least one of its addresses and its aliases */

static ngx_uint_t
ngx_egress_c_ares_addrs(struct ares_addrinfo *ai, ngx_uint_t family,
    ngx_egress_ip_t *addrs, time_t *ttl)
{
    int                          least;
    ngx_uint_t                   n;
    struct sockaddr_in          *sin;
    struct sockaddr_in6         *sin6;
    struct ares_addrinfo_node   *node;
    struct ares_addrinfo_cname  *cname;

    n = 0;
    least = NGX_MAX_INT32_VALUE;

    for (node = ai->nodes; node; node = node->ai_next) {

        if ((ngx_uint_t) node->ai_family != family
            || n == NGX_EGRESS_RESOLVE_ADDRS)
        {
            continue;
        }

        addrs[n].family = family;

        if (family == AF_INET) {
            sin = (struct sockaddr_in *) node->ai_addr;
            ngx_memcpy(addrs[n].bytes, &sin->sin_addr, 4);

        } else {
            sin6 = (struct sockaddr_in6 *) node->ai_addr;
            ngx_memcpy(addrs[n].bytes, &sin6->sin6_addr, 16);
        }

        least = ngx_min(least, node->ai_ttl);
        n++;
    }

    for (cname = ai->cnames; cname; cname = cname->next) {
        least = ngx_min(least, cname->ttl);
    }

    *ttl = least;

    return n;
}


static void
ngx_egress_c_ares_cancel(ngx_egress_query_t *query)
{
    ngx_egress_channel_t          *ch;
    ngx_egress_c_ares_question_t  *question;

    question = query->data;
    ch = question->channel;

    question->query = NULL;

    ch->awaited--;
    ch->failures++;

    ngx_egress_channel_settle(ch);
}


static ngx_int_t
ngx_egress_c_ares_init_process(ngx_cycle_t *cycle, ngx_egress_resolver_t *r)
{
    ngx_egress_c_ares_t  *ca;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "ares_library_init() failed");
        return NGX_ERROR;
    }

    ca = ngx_alloc(sizeof(ngx_egress_c_ares_t), cycle->log);
    if (ca == NULL) {
        return NGX_ERROR;
    }

    ca->resolver = r;
    ngx_queue_init(&ca->channels);

    r->worker = ca;

    return NGX_OK;
}


static void
ngx_egress_c_ares_exit_process(ngx_egress_resolver_t *r)
{
    ngx_queue_t          *q;
    ngx_egress_c_ares_t  *ca;

    ca = r->worker;

    if (ca == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ca->channels)) {
        q = ngx_queue_head(&ca->channels);
        ngx_egress_channel_destroy(ngx_queue_data(q, ngx_egress_channel_t,
                                                  queue));
    }

    ngx_free(ca);
    r->worker = NULL;

    ares_library_cleanup();
}


static char *
ngx_egress_c_ares_create(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    ngx_egress_c_ares_conf_t  *cacf;

    cacf = r->conf;

    /*
     * set by ngx_pcalloc():
     *
     *     cacf->csv = { 0, NULL };
     *     cacf->bind4 = 0;
     *     cacf->bind6 = { 0 };
     *     cacf->has_bind4 = 0;
     *     cacf->has_bind6 = 0;
     */

    cacf->hosts = NGX_CONF_UNSET;
    cacf->each_timeout = NGX_CONF_UNSET_MSEC;
    cacf->each_tries = NGX_CONF_UNSET;
    cacf->max_timeout = NGX_CONF_UNSET_MSEC;
    cacf->round_robin = NGX_CONF_UNSET;
    cacf->send_buffer = NGX_CONF_UNSET_SIZE;
    cacf->recv_buffer = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&cacf->servers, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_init(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    ngx_egress_c_ares_conf_t  *cacf;

    cacf = r->conf;

    ngx_conf_init_value(cacf->hosts, cacf->servers.nelts == 0);
    ngx_conf_init_msec_value(cacf->each_timeout, 2000);
    ngx_conf_init_value(cacf->each_tries, 3);
    ngx_conf_init_msec_value(cacf->max_timeout, 0);
    ngx_conf_init_value(cacf->round_robin, 0);
    ngx_conf_init_size_value(cacf->send_buffer, 0);
    ngx_conf_init_size_value(cacf->recv_buffer, 0);

    if (cacf->each_timeout == 0) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "\"each_timeout\" of resolver \"%V\" "
                                     "must not be 0", &r->object.name);
    }

    if (cacf->each_tries == 0) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "\"each_tries\" of resolver \"%V\" "
                                     "must not be 0", &r->object.name);
    }

    if (cacf->each_timeout > NGX_MAX_INT32_VALUE
        || cacf->max_timeout > NGX_MAX_INT32_VALUE
        || cacf->send_buffer > NGX_MAX_INT32_VALUE
        || cacf->recv_buffer > NGX_MAX_INT32_VALUE
        || cacf->each_tries > 100)
    {
        return ngx_egress_conf_error(cf, &r->object,
                                     "too big a value in resolver \"%V\"",
                                     &r->object.name);
    }

#ifndef ARES_OPT_MAXTIMEOUTMS
    if (cacf->max_timeout) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"max_timeout\" of resolver \"%V\" has no effect with "
                      "c-ares %s, it needs 1.22 or newer",
                      &r->object.name, ARES_VERSION_STR);
    }
#endif

    return ngx_egress_c_ares_join(cf, cacf);
}


static char *
ngx_egress_c_ares_join(ngx_conf_t *cf, ngx_egress_c_ares_conf_t *cacf)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *server;
    ngx_uint_t   i;

    len = 1;
    server = cacf->servers.elts;

    if (cacf->servers.nelts == 0) {
        return NGX_CONF_OK;
    }

    for (i = 0; i < cacf->servers.nelts; i++) {
        len += server[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    cacf->csv.data = p;

    for (i = 0; i < cacf->servers.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, server[i].data, server[i].len);
    }

    *p = '\0';
    cacf->csv.len = p - cacf->csv.data;

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_c_ares_conf_t *cacf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value, *server;
    ngx_uint_t   i;
    ngx_addr_t   addr;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_parse_addr_port(cf->pool, &addr, value[i].data,
                                 value[i].len);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" of a name server, use "
                               "\"192.0.2.1\", \"192.0.2.1:53\" or "
                               "\"[2001:db8::1]:53\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_inet_get_port(addr.sockaddr) == 0) {
            ngx_inet_set_port(addr.sockaddr, NGX_EGRESS_C_ARES_PORT);
        }

        server = ngx_array_push(&cacf->servers);
        if (server == NULL) {
            return NGX_CONF_ERROR;
        }

        server->data = ngx_pnalloc(cf->pool, NGX_SOCKADDR_STRLEN);
        if (server->data == NULL) {
            return NGX_CONF_ERROR;
        }

        server->len = ngx_sock_ntop(addr.sockaddr, addr.socklen,
                                    server->data, NGX_SOCKADDR_STRLEN, 1);
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_bind_ipv4(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_c_ares_conf_t *cacf = conf;

    ngx_str_t  *value;

    if (cacf->has_bind4) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    cacf->bind4 = ngx_inet_addr(value[1].data, value[1].len);
    if (cacf->bind4 == INADDR_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid IPv4 address \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    cacf->has_bind4 = 1;

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_bind_ipv6(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_c_ares_conf_t *cacf = conf;

    ngx_str_t  *value;

    if (cacf->has_bind6) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    if (ngx_inet6_addr(value[1].data, value[1].len, cacf->bind6) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid IPv6 address \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    cacf->has_bind6 = 1;

    return NGX_CONF_OK;
}
