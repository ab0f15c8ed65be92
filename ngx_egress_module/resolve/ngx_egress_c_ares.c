
/*
 * Copyright (C) ngx_egress authors
 *
 * Resolver type "c_ares": a question of one family, asked through
 * ares_getaddrinfo().  Search lists and HOSTALIASES are not used: the
 * name that was judged is the name that is asked.
 */


#include "ngx_egress_c_ares.h"


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


/* The TTL of addresses is the least one of theirs and of their aliases. */

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

    /* aliases that lead nowhere say nothing about for how long */

    *ttl = n ? least : 0;

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
