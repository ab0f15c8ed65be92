
/*
 * Copyright (C) ngx_egress authors
 *
 * Channels of c-ares in the event loop: each of its sockets is a connection
 * of nginx, its next timeout one timer.  What is asked and what the answers
 * mean is in ngx_egress_c_ares.c.
 */


#include "ngx_egress_c_ares.h"


#define NGX_EGRESS_CHANNEL_FAILURES   4
#define NGX_EGRESS_CHANNEL_QUESTIONS  1000
#define NGX_EGRESS_CHANNEL_AGE        1000   /* ms: not replaced before, even
                                                if all fails */


static ngx_uint_t ngx_egress_channel_worn(ngx_egress_channel_t *ch);
static void ngx_egress_channel_retire(ngx_egress_channel_t *ch);
static ngx_egress_channel_t *ngx_egress_channel_create(
    ngx_egress_c_ares_t *ca);
static int ngx_egress_channel_init(ngx_egress_channel_t *ch,
    ngx_egress_c_ares_conf_t *cacf);
static int ngx_egress_channel_options(ngx_egress_channel_t *ch,
    ngx_egress_c_ares_conf_t *cacf, struct ares_options *options);

static void ngx_egress_channel_socket(void *data, ares_socket_t fd,
    int readable, int writable);
static ngx_connection_t *ngx_egress_channel_find(ngx_egress_channel_t *ch,
    ares_socket_t fd);
static ngx_connection_t *ngx_egress_channel_watch(ngx_egress_channel_t *ch,
    ares_socket_t fd);
static void ngx_egress_channel_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t on);
static void ngx_egress_channel_forget(ngx_connection_t *c);

static void ngx_egress_channel_read(ngx_event_t *rev);
static void ngx_egress_channel_write(ngx_event_t *wev);
static void ngx_egress_channel_timer(ngx_event_t *ev);


ngx_egress_channel_t *
ngx_egress_channel_get(ngx_egress_c_ares_t *ca)
{
    ngx_queue_t           *q;
    ngx_egress_channel_t  *ch, *old;

    if (ngx_queue_empty(&ca->channels)) {
        return ngx_egress_channel_create(ca);
    }

    q = ngx_queue_head(&ca->channels);
    old = ngx_queue_data(q, ngx_egress_channel_t, queue);

    if (!ngx_egress_channel_worn(old)) {
        return old;
    }

    ch = ngx_egress_channel_create(ca);
    if (ch == NULL) {
        return old;
    }

    ngx_egress_channel_retire(old);

    return ch;
}


static ngx_uint_t
ngx_egress_channel_worn(ngx_egress_channel_t *ch)
{
    if (ch->asked >= NGX_EGRESS_CHANNEL_QUESTIONS) {
        return 1;
    }

    return ch->failures >= NGX_EGRESS_CHANNEL_FAILURES
           && ngx_current_msec - ch->made >= NGX_EGRESS_CHANNEL_AGE;
}


static void
ngx_egress_channel_retire(ngx_egress_channel_t *ch)
{
    ngx_log_t  *log;

    log = ngx_cycle->log;

    if (ch->failures >= NGX_EGRESS_CHANNEL_FAILURES) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "resolver \"%V\" starts over after %ui failures",
                      &ch->owner->resolver->object.name, ch->failures);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, log, 0,
                   "egress c-ares retire channel %p asked:%ui awaited:%ui",
                   ch, ch->asked, ch->awaited);

    ch->retired = 1;

    ngx_egress_channel_settle(ch);
}


static ngx_egress_channel_t *
ngx_egress_channel_create(ngx_egress_c_ares_t *ca)
{
    int                    rc;
    ngx_egress_channel_t  *ch;

    ch = ngx_calloc(sizeof(ngx_egress_channel_t), ngx_cycle->log);
    if (ch == NULL) {
        return NULL;
    }

    ch->owner = ca;
    ch->made = ngx_current_msec;
    ngx_queue_init(&ch->sockets);

    ch->timer.data = ch;
    ch->timer.handler = ngx_egress_channel_timer;
    ch->timer.log = ngx_cycle->log;

    /* the deadlines of questions are what a quitting worker waits for */
    ch->timer.cancelable = 1;

    rc = ngx_egress_channel_init(ch, ca->resolver->conf);

    if (rc != ARES_SUCCESS) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "resolver \"%V\" cannot start: %s",
                      &ca->resolver->object.name, ares_strerror(rc));

        ngx_free(ch);
        return NULL;
    }

    ngx_queue_insert_head(&ca->channels, &ch->queue);

    return ch;
}


static int
ngx_egress_channel_init(ngx_egress_channel_t *ch,
    ngx_egress_c_ares_conf_t *cacf)
{
    int                  rc, mask;
    struct ares_options  options;

    ngx_memzero(&options, sizeof(struct ares_options));

    mask = ngx_egress_channel_options(ch, cacf, &options);

    rc = ares_init_options(&ch->ares, &options, mask);
    if (rc != ARES_SUCCESS) {
        return rc;
    }

    if (cacf->csv.len) {
        rc = ares_set_servers_ports_csv(ch->ares, (char *) cacf->csv.data);
        if (rc != ARES_SUCCESS) {
            ares_destroy(ch->ares);
            return rc;
        }
    }

    if (cacf->has_bind4) {
        ares_set_local_ip4(ch->ares, ntohl(cacf->bind4));
    }

    if (cacf->has_bind6) {
        ares_set_local_ip6(ch->ares, cacf->bind6);
    }

    return ARES_SUCCESS;
}


static int
ngx_egress_channel_options(ngx_egress_channel_t *ch,
    ngx_egress_c_ares_conf_t *cacf, struct ares_options *options)
{
    int  mask;

    static char  files_dns[] = "fb", dns[] = "b";

    mask = ARES_OPT_SOCK_STATE_CB|ARES_OPT_FLAGS|ARES_OPT_LOOKUPS
           |ARES_OPT_DOMAINS|ARES_OPT_TIMEOUTMS|ARES_OPT_TRIES;

    options->sock_state_cb = ngx_egress_channel_socket;
    options->sock_state_cb_data = ch;
    options->flags = ARES_FLAG_NOSEARCH|ARES_FLAG_NOALIASES;
    options->lookups = cacf->hosts ? files_dns : dns;
    options->timeout = (int) cacf->each_timeout;
    options->tries = (int) cacf->each_tries;

    mask |= cacf->round_robin ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE;

    if (cacf->send_buffer) {
        mask |= ARES_OPT_SOCK_SNDBUF;
        options->socket_send_buffer_size = (int) cacf->send_buffer;
    }

    if (cacf->recv_buffer) {
        mask |= ARES_OPT_SOCK_RCVBUF;
        options->socket_receive_buffer_size = (int) cacf->recv_buffer;
    }

#ifdef ARES_OPT_MAXTIMEOUTMS                      /* 1.22 */
    if (cacf->max_timeout) {
        mask |= ARES_OPT_MAXTIMEOUTMS;
        options->maxtimeout = (int) cacf->max_timeout;
    }
#endif

#ifdef ARES_OPT_QUERY_CACHE                       /* 1.23 */

    /* the cache is ours; EDNS is the default where no flags are given */

    mask |= ARES_OPT_QUERY_CACHE;
    options->qcache_max_ttl = 0;
    options->flags |= ARES_FLAG_EDNS;
#endif

    return mask;
}


void
ngx_egress_channel_settle(ngx_egress_channel_t *ch)
{
    ngx_msec_t       timeout;
    struct timeval   tv, *tvp;

    if (ch->retired && ch->awaited == 0) {
        ngx_egress_channel_destroy(ch);
        return;
    }

    tvp = ares_timeout(ch->ares, NULL, &tv);

    if (tvp) {
        timeout = (ngx_msec_t) tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1;
        ngx_add_timer(&ch->timer, timeout);

    } else if (ch->timer.timer_set) {
        ngx_del_timer(&ch->timer);
    }
}


void
ngx_egress_channel_destroy(ngx_egress_channel_t *ch)
{
    ngx_log_debug1(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "egress c-ares destroy channel %p", ch);

    ch->closing = 1;

    ares_destroy(ch->ares);

    if (ch->timer.timer_set) {
        ngx_del_timer(&ch->timer);
    }

    ngx_queue_remove(&ch->queue);
    ngx_free(ch);
}


/* the library opened a socket, wants other events of it, or will close it */

static void
ngx_egress_channel_socket(void *data, ares_socket_t fd, int readable,
    int writable)
{
    ngx_egress_channel_t *ch = data;

    ngx_connection_t  *c;

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "egress c-ares socket %d read:%d write:%d",
                   fd, readable, writable);

    c = ngx_egress_channel_find(ch, fd);

    if (!readable && !writable) {

        if (c) {
            ngx_egress_channel_forget(c);
        }

        return;
    }

    if (c == NULL) {
        c = ngx_egress_channel_watch(ch, fd);
        if (c == NULL) {
            return;
        }
    }

    ngx_egress_channel_event(c->read, NGX_READ_EVENT, readable);
    ngx_egress_channel_event(c->write, NGX_WRITE_EVENT, writable);
}


static ngx_connection_t *
ngx_egress_channel_find(ngx_egress_channel_t *ch, ares_socket_t fd)
{
    ngx_queue_t       *q;
    ngx_connection_t  *c;

    for (q = ngx_queue_head(&ch->sockets);
         q != ngx_queue_sentinel(&ch->sockets);
         q = ngx_queue_next(q))
    {
        c = ngx_queue_data(q, ngx_connection_t, queue);

        if (c->fd == fd) {
            return c;
        }
    }

    return NULL;
}


/* NULL: no free connection; the question fails by its timeouts */

static ngx_connection_t *
ngx_egress_channel_watch(ngx_egress_channel_t *ch, ares_socket_t fd)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = ngx_cycle->log;

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        return NULL;
    }

    c->data = ch;
    c->log = log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    c->read->log = log;
    c->read->handler = ngx_egress_channel_read;

    /* not to be counted as open, nor closed by worker_shutdown_timeout */
    c->read->resolver = 1;

    c->write->log = log;
    c->write->handler = ngx_egress_channel_write;

    ngx_queue_insert_tail(&ch->sockets, &c->queue);

    return c;
}


/* level-triggered: the library does not read until there is nothing left */

static void
ngx_egress_channel_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t on)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (on && !ev->active) {
        rc = ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!on && ev->active) {
        rc = ngx_del_event(ev, event, 0);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "events of a name server's socket cannot be had");
    }
}


/* as ngx_close_connection(), but the library closes the socket after us */

static void
ngx_egress_channel_forget(ngx_connection_t *c)
{
    ngx_queue_remove(&c->queue);

    if (ngx_del_conn) {
        ngx_del_conn(c, 0);

    } else {
        ngx_egress_channel_event(c->read, NGX_READ_EVENT, 0);
        ngx_egress_channel_event(c->write, NGX_WRITE_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


/* the connection may be gone after ares_process_fd() */

static void
ngx_egress_channel_read(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_egress_channel_t  *ch;

    c = rev->data;
    ch = c->data;

    ares_process_fd(ch->ares, c->fd, ARES_SOCKET_BAD);

    ngx_egress_channel_settle(ch);
}


static void
ngx_egress_channel_write(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_egress_channel_t  *ch;

    c = wev->data;
    ch = c->data;

    ares_process_fd(ch->ares, ARES_SOCKET_BAD, c->fd);

    ngx_egress_channel_settle(ch);
}


static void
ngx_egress_channel_timer(ngx_event_t *ev)
{
    ngx_egress_channel_t  *ch;

    ch = ev->data;

    ares_process_fd(ch->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);

    ngx_egress_channel_settle(ch);
}
