
/*
 * Copyright (C) ngx_egress authors
 *
 * When servers are probed: every worker looks for what is due, and the one
 * that gets the lease of a state probes it.
 */


#include <ngx_ws_health.h>


/* the longest sleep: how late a worker may notice a lease that ran out */
#define NGX_WS_HEALTH_TICK          500

/* probes that one worker starts at a time, so that all get their share */
#define NGX_WS_HEALTH_BATCH         32


static void ngx_ws_health_handler(ngx_event_t *ev);
static void ngx_ws_health_tick(ngx_ws_health_conf_t *conf, ngx_uint_t *batch,
    ngx_msec_t *sleep);
static void ngx_ws_health_touch(ngx_ws_health_conf_t *conf);


static ngx_event_t                 ngx_ws_health_event;
static ngx_queue_t                 ngx_ws_health_probes;
static ngx_ws_health_main_conf_t  *ngx_ws_health_main;


ngx_int_t
ngx_ws_health_start(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_event_t            *ev;
    ngx_ws_health_conf_t  **conf;

    static ngx_connection_t  dumb;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_ws_health_main = ngx_http_cycle_get_module_main_conf(cycle,
                                                   ngx_http_ws_health_module);

    if (ngx_ws_health_main == NULL
        || ngx_ws_health_main->upstreams.nelts == 0)
    {
        return NGX_OK;
    }

    ngx_queue_init(&ngx_ws_health_probes);

    /* no request is served before the state of the servers is known */

    conf = ngx_ws_health_main->upstreams.elts;

    for (i = 0; i < ngx_ws_health_main->upstreams.nelts; i++) {
        ngx_ws_health_sync(conf[i]);
    }

    dumb.fd = (ngx_socket_t) -1;

    ev = &ngx_ws_health_event;
    ev->handler = ngx_ws_health_handler;
    ev->data = &dumb;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);

    return NGX_OK;
}


ngx_shm_zone_t *
ngx_ws_health_zone(void)
{
    return ngx_ws_health_main->zone;
}


static void
ngx_ws_health_handler(ngx_event_t *ev)
{
    ngx_uint_t              i, batch;
    ngx_msec_t              sleep;
    ngx_ws_health_conf_t  **conf;

    batch = 0;
    sleep = NGX_WS_HEALTH_TICK;
    conf = ngx_ws_health_main->upstreams.elts;

    for (i = 0; i < ngx_ws_health_main->upstreams.nelts; i++) {

        ngx_ws_health_sync(conf[i]);

        if (ngx_exiting || ngx_quit || ngx_terminate) {
            ngx_ws_health_touch(conf[i]);
            continue;
        }

        ngx_ws_health_tick(conf[i], &batch, &sleep);
    }

    ngx_add_timer(ev, ngx_max(sleep, 5));
}


static void
ngx_ws_health_tick(ngx_ws_health_conf_t *conf, ngx_uint_t *batch,
    ngx_msec_t *sleep)
{
    uint64_t                 ticket;
    ngx_int_t                rc;
    ngx_uint_t               i, j;
    ngx_msec_t               wait;
    ngx_shm_zone_t          *zone;
    ngx_ws_probe_t          *probe;
    ngx_ws_health_info_t     info;
    ngx_ws_health_check_t   *check;
    ngx_ws_health_target_t  *t;

    zone = ngx_ws_health_zone();
    check = conf->checks->elts;
    t = conf->targets.elts;
    ticket = 0;
    wait = 0;

    for (i = 0; i < conf->targets.nelts; i++) {

        for (j = 0; j < conf->checks->nelts && !t[i].down; j++) {

            if (*batch >= NGX_WS_HEALTH_BATCH) {
                *sleep = 10;
                return;
            }

            rc = t[i].states[j]
                 ? ngx_ws_health_lease(zone, t[i].states[j], t[i].ids[j],
                                       &check[j], &ticket, &wait)
                 : NGX_DECLINED;

            if (rc == NGX_DECLINED) {
                (void) ngx_ws_health_target_info(conf, &t[i], j, &info);
                continue;
            }

            if (rc == NGX_AGAIN) {
                *sleep = ngx_min(*sleep, wait);
                continue;
            }

            (*batch)++;

            probe = ngx_ws_probe_create(conf, &t[i], j);

            if (probe == NULL) {

                /* the lease will run out */

                continue;
            }

            probe->ticket = ticket;
            ngx_queue_insert_tail(&ngx_ws_health_probes, &probe->queue);

            ngx_ws_probe_start(probe);
        }
    }
}


/* a worker that is to exit probes no more, but still uses the states */

static void
ngx_ws_health_touch(ngx_ws_health_conf_t *conf)
{
    ngx_uint_t               i, j;
    ngx_ws_health_info_t     info;
    ngx_ws_health_target_t  *t;

    t = conf->targets.elts;

    for (i = 0; i < conf->targets.nelts; i++) {
        for (j = 0; j < conf->checks->nelts && !t[i].down; j++) {
            (void) ngx_ws_health_target_info(conf, &t[i], j, &info);
        }
    }
}


void
ngx_ws_health_done(ngx_ws_probe_t *probe, const char *reason)
{
    ngx_int_t              rc;
    ngx_str_t             *upstream;
    ngx_ws_health_conf_t  *conf;

    conf = probe->conf;
    upstream = &conf->upstream->host;

    rc = ngx_ws_health_result(ngx_ws_health_zone(), probe, reason);

    if (reason) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "%V check of server \"%V\" of upstream \"%V\" failed: "
                      "%s", &probe->check->type->name, &probe->name, upstream,
                      reason);
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "server \"%V\" of upstream \"%V\" is unhealthy, %V "
                      "check failed: %s", &probe->name, upstream,
                      &probe->check->type->name, reason);

    } else if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "server \"%V\" of upstream \"%V\" passes the %V check",
                      &probe->name, upstream, &probe->check->type->name);
    }

    /* not at once: targets may be walked right now */

    if (rc != NGX_DECLINED) {
        ngx_post_event(&ngx_ws_health_event, &ngx_posted_events);
    }
}


void
ngx_ws_health_stop(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_ws_probe_t         *probe;
    ngx_ws_health_conf_t  **conf;

    if (ngx_ws_health_probes.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_ws_health_probes)) {
        q = ngx_queue_head(&ngx_ws_health_probes);
        probe = ngx_queue_data(q, ngx_ws_probe_t, queue);
        ngx_ws_probe_close(probe);
    }

    conf = ngx_ws_health_main->upstreams.elts;

    for (i = 0; i < ngx_ws_health_main->upstreams.nelts; i++) {

        if (conf[i]->pool) {
            ngx_destroy_pool(conf[i]->pool);
            conf[i]->pool = NULL;
        }

        conf[i]->targets.nelts = 0;
    }
}
