
/*
 * Copyright (C) ngx_egress authors
 *
 * An association of datagrams from its start to its end, and the way of its
 * peers' datagrams to the client.
 */


#include "ngx_egress_udp_peer.h"


static void ngx_egress_udp_client_handler(ngx_event_t *rev);
static void ngx_egress_udp_upload_delay(ngx_event_t *ev);
static void ngx_egress_udp_download_delay(ngx_event_t *ev);
static void ngx_egress_udp_timer_handler(ngx_event_t *ev);

static ngx_int_t ngx_egress_udp_download(ngx_egress_udp_t *udp,
    ngx_connection_t *c);
static void ngx_egress_udp_backward(ngx_egress_udp_t *udp,
    ngx_egress_udp_datagram_t *d);

static void ngx_egress_udp_limits(ngx_egress_udp_t *udp);
static size_t ngx_egress_udp_lower(size_t a, size_t b);


void
ngx_egress_udp_start(ngx_egress_udp_t *udp)
{
    ngx_log_t  *log;

    log = udp->task->log;

    ngx_egress_udp_peers_init(udp);

    udp->started = 1;

    udp->timer.data = udp->client;
    udp->timer.log = log;
    udp->timer.handler = ngx_egress_udp_timer_handler;

    udp->upload.delay.data = udp->client;
    udp->upload.delay.log = log;
    udp->upload.delay.handler = ngx_egress_udp_upload_delay;

    udp->download.delay.data = udp->client;
    udp->download.delay.log = log;
    udp->download.delay.handler = ngx_egress_udp_download_delay;

    ngx_add_timer(&udp->timer, udp->initial_timeout);

    udp->client->data = udp;
    udp->client->read->handler = ngx_egress_udp_client_handler;
    udp->client->write->handler = ngx_egress_udp_write_handler;

    ngx_egress_udp_upload(udp);
}


void
ngx_egress_udp_resume(ngx_egress_udp_t *udp)
{
    udp->held = 0;
    udp->active = ngx_current_msec;

    ngx_egress_udp_limits(udp);

    if (udp->timer.timer_set) {
        ngx_del_timer(&udp->timer);
    }

    if (udp->task->idle_timeout) {
        ngx_add_timer(&udp->timer, udp->task->idle_timeout);
    }

    ngx_egress_udp_upload(udp);
}


/* The limits of the server and of the escaper: the lower one counts. */

static void
ngx_egress_udp_limits(ngx_egress_udp_t *udp)
{
    ngx_egress_udp_limit_t  *a, *b;

    a = &udp->limit;
    b = udp->task->hop->udp_limit ? udp->task->hop->udp_limit : a;

    ngx_egress_udp_meter_init(&udp->upload,
                              ngx_egress_udp_lower(a->upload, b->upload),
                              ngx_egress_udp_lower(a->upload_packets,
                                                   b->upload_packets));

    ngx_egress_udp_meter_init(&udp->download,
                              ngx_egress_udp_lower(a->download, b->download),
                              ngx_egress_udp_lower(a->download_packets,
                                                   b->download_packets));
}


static size_t
ngx_egress_udp_lower(size_t a, size_t b)
{
    if (a == 0 || b == 0) {
        return a ? a : b;
    }

    return ngx_min(a, b);
}


static void
ngx_egress_udp_client_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    ngx_egress_udp_t  *udp;

    c = rev->data;
    udp = c->data;

    if (c->close) {
        ngx_egress_task_finish(udp->task, NGX_EGRESS_SHUTDOWN);
        return;
    }

    ngx_egress_udp_upload(udp);
}


void
ngx_egress_udp_upstream_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    ngx_egress_udp_t  *udp;

    c = rev->data;
    udp = c->data;

    if (c->close) {
        ngx_egress_task_finish(udp->task, NGX_EGRESS_SHUTDOWN);
        return;
    }

    (void) ngx_egress_udp_download(udp, c);
}


/* Nobody waits until a socket can be written to. */

void
ngx_egress_udp_write_handler(ngx_event_t *wev)
{
}


static void
ngx_egress_udp_upload_delay(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_egress_udp_upload(c->data);
}


static void
ngx_egress_udp_download_delay(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;
    ngx_egress_udp_t  *udp;

    c = ev->data;
    udp = c->data;

    for (i = 0; i < 2; i++) {
        if (udp->upstream[i]
            && ngx_egress_udp_download(udp, udp->upstream[i]) != NGX_OK)
        {
            return;
        }
    }
}


static void
ngx_egress_udp_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t         idle;
    ngx_connection_t  *c;
    ngx_egress_udp_t  *udp;

    c = ev->data;
    udp = c->data;

    if (!udp->seen) {
        ngx_log_error(NGX_LOG_INFO, udp->task->log, 0,
                      "client of a UDP association sent nothing");
        ngx_egress_task_finish(udp->task, NGX_EGRESS_CLIENT_TIMEOUT);
        return;
    }

    idle = ngx_current_msec - udp->active;

    if (idle >= udp->task->idle_timeout) {
        ngx_egress_task_finish(udp->task, NGX_EGRESS_IDLE_TIMEOUT);
        return;
    }

    ngx_add_timer(&udp->timer, udp->task->idle_timeout - idle);
}


/* NGX_ERROR: the task is over, and udp may be gone with it. */

static ngx_int_t
ngx_egress_udp_download(ngx_egress_udp_t *udp, ngx_connection_t *c)
{
    size_t                      bytes;
    ngx_int_t                   n, i;
    ngx_uint_t                  turn, max, sent;
    ngx_egress_udp_datagram_t  *d;

    for (turn = 0; turn < NGX_EGRESS_UDP_TURNS; turn++) {

        max = ngx_egress_udp_meter(&udp->download, NGX_EGRESS_UDP_BATCH);
        if (max == 0) {
            goto wait;
        }

        n = ngx_egress_udp_receive(c, max, 0, &d);

        if (n == NGX_AGAIN) {
            goto wait;
        }

        if (n == NGX_ERROR) {
            ngx_egress_task_finish(udp->task, NGX_EGRESS_INTERNAL);
            return NGX_ERROR;
        }

        for (i = 0; i < n; i++) {
            ngx_egress_udp_backward(udp, &d[i]);
        }

        sent = ngx_egress_udp_batch_send(
                                ngx_egress_udp_batch(NGX_EGRESS_UDP_TO_CLIENT),
                                udp->client, &bytes);
        if (sent) {
            ngx_egress_udp_meter_used(&udp->download, sent, bytes);
            udp->task->bytes_sent += bytes;
            udp->active = ngx_current_msec;
        }
    }

    ngx_post_event(c->read, &ngx_posted_next_events);
    return NGX_OK;

wait:

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_egress_task_finish(udp->task, NGX_EGRESS_INTERNAL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_egress_udp_backward(ngx_egress_udp_t *udp, ngx_egress_udp_datagram_t *d)
{
    u_char              text[NGX_EGRESS_IP_LEN];
    ngx_egress_addr_t   from;

    if (!ngx_egress_udp_peer_known(udp, d->from)
        || ngx_egress_addr_from_sockaddr(&from, text, d->from) != NGX_OK)
    {
        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, udp->task->log, 0,
                       "egress udp: datagram of a stranger dropped");
        return;
    }

    ngx_egress_udp_batch_add(ngx_egress_udp_batch(NGX_EGRESS_UDP_TO_CLIENT),
                             d->data, d->len, NULL, 0, &from);
}


void
ngx_egress_udp_close(ngx_egress_udp_t *udp)
{
    ngx_uint_t  i;

    if (udp->closed) {
        return;
    }

    udp->closed = 1;

    if (udp->started) {
        ngx_egress_udp_peers_free(udp);
    }

    if (udp->timer.timer_set) {
        ngx_del_timer(&udp->timer);
    }

    if (udp->upload.delay.timer_set) {
        ngx_del_timer(&udp->upload.delay);
    }

    if (udp->download.delay.timer_set) {
        ngx_del_timer(&udp->download.delay);
    }

    for (i = 0; i < 2; i++) {
        if (udp->upstream[i]) {
            ngx_close_connection(udp->upstream[i]);
            udp->upstream[i] = NULL;
        }
    }

    if (udp->client) {
        ngx_close_connection(udp->client);
        udp->client = NULL;
    }
}


void
ngx_egress_udp_set_buffers(ngx_socket_t s, size_t receive, size_t send,
    ngx_log_t *log)
{
    int  size;

    if (receive) {
        size = (int) receive;

        if (setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(int)) == -1) {
            ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                          "setsockopt(SO_RCVBUF, %d) failed, ignored", size);
        }
    }

    if (send) {
        size = (int) send;

        if (setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int)) == -1) {
            ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                          "setsockopt(SO_SNDBUF, %d) failed, ignored", size);
        }
    }
}
