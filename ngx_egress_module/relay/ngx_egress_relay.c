/*
 * Copyright (C) ngx_egress authors
 *
 * The life of a relay: start, events, the pump, the idle timer.  It decides
 * what moves when; copy, splice, limit and end do their part.  It neither
 * closes connections nor knows what kind of server the client belongs to.
 */

#include "ngx_egress_relay_side.h"


static void ngx_egress_relay_prepare(ngx_egress_relay_t *relay,
    ngx_uint_t i);
static void ngx_egress_relay_nodelay(ngx_connection_t *c);

static void ngx_egress_relay_upstream_handler(ngx_event_t *ev);
static void ngx_egress_relay_delay_handler(ngx_event_t *ev);
static void ngx_egress_relay_idle_handler(ngx_event_t *ev);

static void ngx_egress_relay_run(ngx_egress_relay_side_t *src,
    ngx_uint_t both);
static ngx_int_t ngx_egress_relay_pump(ngx_egress_relay_side_t *src);
static ngx_int_t ngx_egress_relay_flush(ngx_egress_relay_side_t *dst);
static ssize_t ngx_egress_relay_move(ngx_egress_relay_side_t *src);
static void ngx_egress_relay_pause(ngx_egress_relay_side_t *src,
    size_t moved);
static ngx_int_t ngx_egress_relay_wait(ngx_egress_relay_side_t *src);

static void ngx_egress_relay_finish(ngx_egress_relay_t *relay,
    ngx_uint_t reason);


static ngx_conf_num_bounds_t  ngx_egress_relay_buffer_bounds = {
    ngx_conf_check_num_bounds, 4096, 16 * 1024 * 1024
};


ngx_command_t  ngx_egress_relay_commands[] = {

    { ngx_string("relay_pipes"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_egress_relay_conf_t, pipes),
      NULL },

    { ngx_string("relay_buffer_size"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_egress_relay_conf_t, buffer_size),
      &ngx_egress_relay_buffer_bounds },

      ngx_null_command
};


ngx_int_t
ngx_egress_relay_start(ngx_egress_relay_t *relay, ngx_str_t *early)
{
    ngx_connection_t         *c;
    ngx_egress_relay_side_t  *client, *upstream;

    client = &relay->side[NGX_EGRESS_RELAY_CLIENT];
    upstream = &relay->side[NGX_EGRESS_RELAY_UPSTREAM];

    if (relay->idle_timeout == 0) {
        relay->idle_timeout = NGX_MAX_INT32_VALUE;
    }

    relay->splice = 1;
    relay->started = 1;
    relay->active = ngx_current_msec;

    ngx_egress_relay_prepare(relay, NGX_EGRESS_RELAY_CLIENT);
    ngx_egress_relay_prepare(relay, NGX_EGRESS_RELAY_UPSTREAM);

    ngx_egress_relay_nodelay(client->connection);

    c = upstream->connection;
    c->data = relay;
    c->read->handler = ngx_egress_relay_upstream_handler;
    c->write->handler = ngx_egress_relay_upstream_handler;

    relay->idle.handler = ngx_egress_relay_idle_handler;
    relay->idle.data = relay;
    relay->idle.log = relay->log;

    ngx_add_timer(&relay->idle, relay->idle_timeout);

    if (early && early->len) {
        client->received += early->len;
        ngx_egress_limit_used(&client->limit, early->len);

        if (ngx_egress_relay_send(upstream, early->data, early->len)
            != NGX_OK)
        {
            ngx_egress_relay_close(relay);
            return NGX_ERROR;
        }
    }

    ngx_egress_relay_run(client, 1);

    return NGX_OK;
}


static void
ngx_egress_relay_prepare(ngx_egress_relay_t *relay, ngx_uint_t i)
{
    ngx_connection_t         *c;
    ngx_egress_relay_side_t  *side;

    side = &relay->side[i];
    c = side->connection;

    side->relay = relay;
    side->peer = &relay->side[!i];
    side->window = ngx_egress_relay_buffer_size;

    side->limit.delay.handler = ngx_egress_relay_delay_handler;
    side->limit.delay.data = side;
    side->limit.delay.log = relay->log;

    /* at worst the first send() is refused, and then a write event comes */

    c->write->ready = 1;

#if (NGX_SSL)

    if (c->ssl) {
        relay->splice = 0;

        /* what was refused is sent from another place, record by record */

        SSL_set_mode(c->ssl->connection, SSL_MODE_ENABLE_PARTIAL_WRITE
                                         |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }

#endif
}


static void
ngx_egress_relay_nodelay(ngx_connection_t *c)
{
    int  family;

    /* sockaddr may be what a PROXY header or a realip module says */

    family = c->listening ? c->listening->sockaddr->sa_family
                          : c->sockaddr->sa_family;

    if (family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }
}


void
ngx_egress_relay_event(ngx_egress_relay_t *relay, ngx_event_t *ev)
{
    ngx_uint_t                both;
    ngx_connection_t         *c;
    ngx_egress_relay_side_t  *side;

    c = ev->data;

    if (relay->closed) {
        return;
    }

    if (c->close) {
        ngx_egress_relay_finish(relay, NGX_EGRESS_SHUTDOWN);
        return;
    }

    side = &relay->side[c == relay->side[1].connection];

    if (!ev->write) {
        ngx_egress_relay_test_error(side);
    }

#if (NGX_SSL)
    /* TLS may have to write in order to read, and the other way round */
    both = (c->ssl != NULL);
#else
    both = 0;
#endif

    ngx_egress_relay_run(ev->write ? side->peer : side, both);
}


static void
ngx_egress_relay_upstream_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_egress_relay_event(c->data, ev);
}


static void
ngx_egress_relay_delay_handler(ngx_event_t *ev)
{
    ngx_egress_relay_side_t  *side;

    side = ev->data;

    ngx_egress_relay_run(side, 0);
}


static void
ngx_egress_relay_idle_handler(ngx_event_t *ev)
{
    ngx_msec_t           elapsed;
    ngx_egress_relay_t  *relay;

    relay = ev->data;

    elapsed = ngx_current_msec - relay->active;

    if (elapsed >= relay->idle_timeout) {
        ngx_egress_relay_finish(relay, relay->reason
                                       ? relay->reason
                                       : NGX_EGRESS_IDLE_TIMEOUT);
        return;
    }

    /* progress only leaves its time, the timer follows here */

    ngx_add_timer(ev, relay->idle_timeout - elapsed);
}


/* Pumps from src to its peer, and back if need be.  May end the relay. */

static void
ngx_egress_relay_run(ngx_egress_relay_side_t *src, ngx_uint_t both)
{
    ngx_uint_t           failed;
    ngx_egress_relay_t  *relay;

    relay = src->relay;
    failed = relay->reason;

    if (ngx_egress_relay_pump(src) != NGX_OK) {
        ngx_egress_relay_finish(relay, NGX_EGRESS_INTERNAL);
        return;
    }

    /* a new failure closes one direction and leaves work to the other */

    if (both || failed != relay->reason) {

        if (ngx_egress_relay_pump(src->peer) != NGX_OK) {
            ngx_egress_relay_finish(relay, NGX_EGRESS_INTERNAL);
            return;
        }
    }

    if (src->shut && src->peer->shut) {
        ngx_egress_relay_finish(relay, relay->reason);
    }
}


/*
 * Moves what can be moved from src to its peer, within a turn, and arranges
 * for the event that goes on.
 */

static ngx_int_t
ngx_egress_relay_pump(ngx_egress_relay_side_t *src)
{
    size_t     moved;
    ssize_t    n;

    moved = 0;

    while (ngx_egress_relay_flush(src->peer) == NGX_OK) {

        if (src->eof) {
            ngx_egress_relay_shut(src);
            break;
        }

        if (!src->connection->read->ready) {
            ngx_egress_relay_pause(src, moved);
            break;
        }

        if (moved >= (src->peer->pipe ? NGX_EGRESS_RELAY_SPLICE_TURN
                                      : NGX_EGRESS_RELAY_COPY_TURN))
        {
            ngx_post_event(src->connection->read, &ngx_posted_next_events);
            break;
        }

        n = ngx_egress_relay_move(src);

        if (n > 0) {
            moved += n;
            continue;
        }

        if (n == NGX_AGAIN) {
            ngx_egress_relay_pause(src, moved);
            break;
        }

        if (n == 0) {
            ngx_egress_relay_eof(src);
            continue;
        }

        ngx_egress_relay_failed(src);
    }

    return ngx_egress_relay_wait(src);
}


static ngx_int_t
ngx_egress_relay_flush(ngx_egress_relay_side_t *dst)
{
    if (dst->refused) {
        return ngx_egress_relay_copy_flush(dst);
    }

    if (dst->pipe) {
        return ngx_egress_relay_splice_flush(dst);
    }

    return NGX_OK;
}


/* One read, by splice or copy; NGX_AGAIN: not now, src->limit may be set. */

static ssize_t
ngx_egress_relay_move(ngx_egress_relay_side_t *src)
{
    size_t   size;
    ssize_t  n;

    size = ngx_egress_limit(&src->limit, NGX_EGRESS_RELAY_COPY_TURN);

    if (size == 0) {
        return NGX_AGAIN;
    }

    n = NGX_DECLINED;

    if (src->bulk == 2 && src->relay->splice) {
        n = ngx_egress_relay_splice(src, size);
    }

    if (n == NGX_DECLINED) {
        n = ngx_egress_relay_copy(src, ngx_min(size, src->window));

        if (n >= NGX_EGRESS_RELAY_BULK) {
            src->bulk += (src->bulk < 2);

        } else if (n > 0) {
            src->bulk = 0;
        }
    }

    if (n > 0) {
        src->relay->active = ngx_current_msec;
        ngx_egress_limit_used(&src->limit, n);
    }

    return n;
}


/* src has nothing more for now: its pipe is empty and others may want it. */

static void
ngx_egress_relay_pause(ngx_egress_relay_side_t *src, size_t moved)
{
    if (src->peer->pipe == NULL) {
        return;
    }

    ngx_egress_relay_splice_release(src->peer);

    /* between the two, splicing costs what copying does */

    if (moved < NGX_EGRESS_RELAY_BULK / 2) {
        src->bulk = 0;
    }
}


/* Edge-triggered methods need nothing here as soon as events are added. */

static ngx_int_t
ngx_egress_relay_wait(ngx_egress_relay_side_t *src)
{
    ngx_event_t  *rev, *wev;

    rev = src->connection->read;
    wev = src->peer->connection->write;

    if (!src->eof) {

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (rev->active) {

        if (ngx_handle_read_event(rev, NGX_CLOSE_EVENT) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_handle_write_event(wev, 0);
}


static void
ngx_egress_relay_finish(ngx_egress_relay_t *relay, ngx_uint_t reason)
{
    if (relay->closed) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, relay->log, 0,
                   "egress relay: over, reason:%ui, %O up, %O down", reason,
                   relay->side[NGX_EGRESS_RELAY_UPSTREAM].sent,
                   relay->side[NGX_EGRESS_RELAY_CLIENT].sent);

    ngx_egress_relay_close(relay);

    relay->handler(relay, reason);
}


void
ngx_egress_relay_close(ngx_egress_relay_t *relay)
{
    ngx_uint_t                i;
    ngx_egress_relay_side_t  *side;

    if (relay->closed || !relay->started) {
        return;
    }

    relay->closed = 1;

    if (relay->idle.timer_set) {
        ngx_del_timer(&relay->idle);
    }

    for (i = 0; i < 2; i++) {
        side = &relay->side[i];

        if (side->limit.delay.timer_set) {
            ngx_del_timer(&side->limit.delay);
        }

        if (side->connection->read->posted) {
            ngx_delete_posted_event(side->connection->read);
        }

        ngx_egress_relay_drop(side);
    }
}


ngx_int_t
ngx_egress_relay_init_process(ngx_cycle_t *cycle,
    ngx_egress_relay_conf_t *conf)
{
    ngx_egress_relay_splice_init(cycle, conf->pipes);

    return ngx_egress_relay_copy_init(cycle, conf->buffer_size);
}


void
ngx_egress_relay_exit_process(ngx_cycle_t *cycle)
{
    ngx_egress_relay_splice_exit();
    ngx_egress_relay_copy_exit();
}


void
ngx_egress_relay_conf_init(ngx_egress_relay_conf_t *conf)
{
    conf->pipes = NGX_CONF_UNSET_UINT;
    conf->buffer_size = NGX_CONF_UNSET_SIZE;
}


void
ngx_egress_relay_conf_merge(ngx_egress_relay_conf_t *conf)
{
    ngx_conf_init_size_value(conf->buffer_size, NGX_EGRESS_RELAY_BUFFER);
}
