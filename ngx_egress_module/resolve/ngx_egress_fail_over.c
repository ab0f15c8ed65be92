
/*
 * Copyright (C) ngx_egress authors
 *
 * Resolver type "fail_over": asks a primary resolver, and a standby one when
 * the primary fails or takes too long.  Both are asked through their caches.
 */


#include "ngx_egress_resolver.h"


typedef struct {
    ngx_egress_resolver_t      *resolver[2];    /* primary, standby */
    ngx_msec_t                  fallback_delay;
    time_t                      negative_ttl;
    ngx_flag_t                  retry_empty_record;
} ngx_egress_fail_over_conf_t;


typedef enum {
    ngx_egress_fail_over_idle = 0,
    ngx_egress_fail_over_asked,
    ngx_egress_fail_over_failed
} ngx_egress_fail_over_state_e;


/* One question under way; freed before it is answered or when cancelled. */
typedef struct {
    ngx_egress_query_t            *query;
    ngx_egress_fail_over_conf_t   *conf;
    ngx_egress_resolve_t           rs[2];
    ngx_egress_fail_over_state_e   state[2];
    ngx_event_t                    timer;
    ngx_egress_reason_e            reason;    /* if nothing better comes */
} ngx_egress_fail_over_t;


static ngx_int_t ngx_egress_fail_over_query(ngx_egress_query_t *query);
static ngx_uint_t ngx_egress_fail_over_ask(ngx_egress_fail_over_t *fo,
    ngx_uint_t i);
static void ngx_egress_fail_over_answered(ngx_egress_resolve_t *rs);
static void ngx_egress_fail_over_delayed(ngx_event_t *ev);
static ngx_uint_t ngx_egress_fail_over_next(ngx_egress_fail_over_t *fo,
    ngx_uint_t i);
static ngx_uint_t ngx_egress_fail_over_success(ngx_egress_fail_over_t *fo,
    ngx_egress_resolve_t *rs);
static void ngx_egress_fail_over_done(ngx_egress_fail_over_t *fo,
    ngx_egress_resolve_t *rs);
static void ngx_egress_fail_over_cancel(ngx_egress_query_t *query);
static void ngx_egress_fail_over_free(ngx_egress_fail_over_t *fo);

static char *ngx_egress_fail_over_create(ngx_conf_t *cf,
    ngx_egress_resolver_t *r);
static char *ngx_egress_fail_over_init(ngx_conf_t *cf,
    ngx_egress_resolver_t *r);
static char *ngx_egress_fail_over_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_egress_fail_over_commands[] = {

    { ngx_string("primary"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_fail_over_resolver,
      0,
      offsetof(ngx_egress_fail_over_conf_t, resolver[0]),
      NULL },

    { ngx_string("standby"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_fail_over_resolver,
      0,
      offsetof(ngx_egress_fail_over_conf_t, resolver[1]),
      NULL },

    { ngx_string("fallback_delay"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_egress_fail_over_conf_t, fallback_delay),
      NULL },

    { ngx_string("negative_ttl"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_egress_fail_over_conf_t, negative_ttl),
      NULL },

    { ngx_string("retry_empty_record"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_fail_over_conf_t, retry_empty_record),
      NULL },

      ngx_null_command
};


ngx_egress_resolver_type_t  ngx_egress_fail_over = {
    ngx_string("fail_over"),
    NGX_EGRESS_RESOLVER_TIMEOUT,
    sizeof(ngx_egress_fail_over_conf_t),
    ngx_egress_fail_over_commands,
    ngx_egress_fail_over_create,
    ngx_egress_fail_over_init,
    NULL,                                  /* init_process */
    NULL,                                  /* exit_process */
    ngx_egress_fail_over_query,
    ngx_egress_fail_over_cancel
};


static ngx_int_t
ngx_egress_fail_over_query(ngx_egress_query_t *query)
{
    ngx_uint_t               i;
    ngx_egress_fail_over_t  *fo;

    fo = ngx_calloc(sizeof(ngx_egress_fail_over_t), ngx_cycle->log);
    if (fo == NULL) {
        return NGX_ERROR;
    }

    query->data = fo;

    fo->query = query;
    fo->conf = query->resolver->conf;
    fo->reason = NGX_EGRESS_DNS_ERROR;

    fo->timer.data = fo;
    fo->timer.handler = ngx_egress_fail_over_delayed;
    fo->timer.log = ngx_cycle->log;
    fo->timer.cancelable = 1;

    for (i = 0; i < 2; i++) {
        fo->rs[i].resolver = fo->conf->resolver[i];
        fo->rs[i].name = query->name;
        fo->rs[i].family = query->family;
        fo->rs[i].log = ngx_cycle->log;
        fo->rs[i].handler = ngx_egress_fail_over_answered;
        fo->rs[i].data = fo;
    }

    if (ngx_egress_fail_over_ask(fo, 0)) {
        return NGX_AGAIN;
    }

    if (fo->state[1] == ngx_egress_fail_over_idle) {
        ngx_add_timer(&fo->timer, fo->conf->fallback_delay);
    }

    return NGX_AGAIN;
}


/* 1: the question is answered, fo is gone */

static ngx_uint_t
ngx_egress_fail_over_ask(ngx_egress_fail_over_t *fo, ngx_uint_t i)
{
    ngx_int_t              rc;
    ngx_egress_resolve_t  *rs;

    rs = &fo->rs[i];
    fo->state[i] = ngx_egress_fail_over_asked;

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, rs->log, 0,
                   "egress fail over ask \"%V\" \"%V\"",
                   &rs->resolver->object.name, &rs->name);

    rc = ngx_egress_resolve(rs);

    if (rc == NGX_AGAIN) {
        return 0;
    }

    if (rc == NGX_ERROR) {
        rs->reason = NGX_EGRESS_DNS_ERROR;
    }

    return ngx_egress_fail_over_next(fo, i);
}


static void
ngx_egress_fail_over_answered(ngx_egress_resolve_t *rs)
{
    ngx_egress_fail_over_t *fo = rs->data;

    (void) ngx_egress_fail_over_next(fo, rs - fo->rs);
}


static void
ngx_egress_fail_over_delayed(ngx_event_t *ev)
{
    ngx_egress_fail_over_t *fo = ev->data;

    (void) ngx_egress_fail_over_ask(fo, 1);
}


/*
 * Resolver i has answered: the first success is taken, the standby is asked
 * as soon as the primary failed, and the last error is told if both did.  A
 * definite answer without addresses is better than an error that follows.
 */

static ngx_uint_t
ngx_egress_fail_over_next(ngx_egress_fail_over_t *fo, ngx_uint_t i)
{
    ngx_egress_resolve_t  *rs;

    rs = &fo->rs[i];
    fo->state[i] = ngx_egress_fail_over_failed;

    if (ngx_egress_fail_over_success(fo, rs)) {
        ngx_egress_fail_over_done(fo, rs);
        return 1;
    }

    if (fo->reason != NGX_EGRESS_DNS_NO_ADDRESS) {
        fo->reason = rs->reason;
    }

    if (fo->state[1] == ngx_egress_fail_over_idle) {

        if (fo->timer.timer_set) {
            ngx_del_timer(&fo->timer);
        }

        return ngx_egress_fail_over_ask(fo, 1);
    }

    if (fo->state[!i] == ngx_egress_fail_over_asked) {
        return 0;
    }

    ngx_egress_fail_over_done(fo, NULL);

    return 1;
}


static ngx_uint_t
ngx_egress_fail_over_success(ngx_egress_fail_over_t *fo,
    ngx_egress_resolve_t *rs)
{
    switch (rs->reason) {

    case NGX_EGRESS_NONE:
        return 1;

    case NGX_EGRESS_DNS_NO_ADDRESS:
        return !fo->conf->retry_empty_record;

    default:
        return 0;
    }
}


/* rs: whose answer it is; NULL: neither had a good one */

static void
ngx_egress_fail_over_done(ngx_egress_fail_over_t *fo,
    ngx_egress_resolve_t *rs)
{
    time_t                ttl;
    ngx_uint_t            naddrs;
    ngx_egress_ip_t      *addrs;
    ngx_egress_query_t   *query;
    ngx_egress_reason_e   reason;

    ttl = 0;
    naddrs = 0;
    addrs = NULL;
    query = fo->query;
    reason = fo->reason;

    if (rs) {
        ttl = rs->ttl;
        naddrs = rs->naddrs;
        addrs = rs->addrs;
        reason = rs->reason;
    }

    ngx_egress_fail_over_free(fo);

    ngx_egress_query_done(query, reason, addrs, naddrs, ttl);
}


static void
ngx_egress_fail_over_cancel(ngx_egress_query_t *query)
{
    ngx_egress_fail_over_free(query->data);
}


static void
ngx_egress_fail_over_free(ngx_egress_fail_over_t *fo)
{
    ngx_egress_resolve_cancel(&fo->rs[0]);
    ngx_egress_resolve_cancel(&fo->rs[1]);

    if (fo->timer.timer_set) {
        ngx_del_timer(&fo->timer);
    }

    ngx_free(fo);
}


static char *
ngx_egress_fail_over_create(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    ngx_egress_fail_over_conf_t  *focf;

    focf = r->conf;

    /*
     * set by ngx_pcalloc():
     *
     *     focf->resolver = { NULL, NULL };
     */

    focf->fallback_delay = NGX_CONF_UNSET_MSEC;
    focf->negative_ttl = NGX_CONF_UNSET;
    focf->retry_empty_record = NGX_CONF_UNSET;

    return NGX_CONF_OK;
}


static char *
ngx_egress_fail_over_init(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    ngx_uint_t                     i;
    ngx_egress_resolver_t        **next;
    ngx_egress_fail_over_conf_t   *focf;

    focf = r->conf;

    ngx_conf_init_msec_value(focf->fallback_delay, 100);
    ngx_conf_init_value(focf->negative_ttl, 30);
    ngx_conf_init_value(focf->retry_empty_record, 0);

    for (i = 0; i < 2; i++) {

        if (focf->resolver[i] == NULL) {
            return ngx_egress_conf_error(cf, &r->object,
                                         "no \"%s\" in resolver \"%V\"",
                                         i ? "standby" : "primary",
                                         &r->object.name);
        }

        next = ngx_array_push(&r->next);
        if (next == NULL) {
            return NGX_CONF_ERROR;
        }

        *next = focf->resolver[i];
    }

    /*
     * The caches of the two know how long an answer is good and have their
     * own least times: this one only follows.
     */

    r->positive_min_ttl = 1;
    r->positive_max_ttl = 7 * 24 * 3600;
    r->negative_min_ttl = focf->negative_ttl;

    return NGX_CONF_OK;
}


static char *
ngx_egress_fail_over_resolver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t              *value;
    ngx_egress_resolver_t **rp;

    rp = (ngx_egress_resolver_t **) ((char *) conf + cmd->offset);

    if (*rp) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    *rp = ngx_egress_resolver_ref(cf, &value[1]);

    return *rp ? NGX_CONF_OK : NGX_CONF_ERROR;
}
