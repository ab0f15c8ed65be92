
/*
 * Copyright (C) ngx_egress authors
 *
 * Speed limits of datagrams, in bytes and in packets.  A socket is not read
 * while its credit is used up: what comes too fast waits in its buffer, and is
 * dropped by the system when that is full.
 */


#include "ngx_egress_udp_peer.h"


/* Unused credit is kept that long: the event loop may be late. */

#define NGX_EGRESS_UDP_LATE     100

/* a guess, since the size of a datagram is not known before it is read */

#define NGX_EGRESS_UDP_TYPICAL  1500


static int64_t ngx_egress_udp_meter_grow(int64_t credit, int64_t rate,
    int64_t least, ngx_msec_t elapsed);
static ngx_msec_t ngx_egress_udp_meter_wait(int64_t missing, int64_t rate);
static char *ngx_egress_udp_limit_packets(ngx_str_t *value,
    ngx_uint_t *packets);


void
ngx_egress_udp_meter_init(ngx_egress_udp_meter_t *m, size_t bytes,
    ngx_uint_t packets)
{
    m->bytes = bytes;
    m->packets = packets;
    m->at = ngx_current_msec;

    m->byte_credit = (int64_t) bytes * NGX_EGRESS_UDP_LATE;
    m->packet_credit = ngx_max((int64_t) packets * NGX_EGRESS_UDP_LATE, 1000);
}


ngx_uint_t
ngx_egress_udp_meter(ngx_egress_udp_meter_t *m, ngx_uint_t max)
{
    ngx_uint_t  n;
    ngx_msec_t  elapsed, wait, w;

    elapsed = ngx_current_msec - m->at;
    m->at = ngx_current_msec;
    wait = 0;

    if (m->packets) {
        m->packet_credit = ngx_egress_udp_meter_grow(m->packet_credit,
                                                     m->packets, 1000,
                                                     elapsed);

        if (m->packet_credit < 1000) {
            wait = ngx_egress_udp_meter_wait(1000 - m->packet_credit,
                                             m->packets);

        } else {
            n = m->packet_credit / 1000;
            max = ngx_min(max, n);
        }
    }

    if (m->bytes) {
        m->byte_credit = ngx_egress_udp_meter_grow(m->byte_credit, m->bytes, 1,
                                                   elapsed);

        if (m->byte_credit <= 0) {
            w = ngx_egress_udp_meter_wait(1 - m->byte_credit, m->bytes);
            wait = ngx_max(wait, w);

        } else {
            n = m->byte_credit / 1000 / NGX_EGRESS_UDP_TYPICAL;
            max = ngx_min(max, ngx_max(n, 1));
        }
    }

    if (wait == 0) {
        return max;
    }

    if (!m->delay.timer_set) {
        ngx_add_timer(&m->delay, wait);
    }

    return 0;
}


/* In thousandths, so that no ms is rounded away. */

static int64_t
ngx_egress_udp_meter_grow(int64_t credit, int64_t rate, int64_t least,
    ngx_msec_t elapsed)
{
    int64_t  most;

    most = ngx_max(rate * NGX_EGRESS_UDP_LATE, least);

    if (credit >= most || (int64_t) elapsed > (most - credit) / rate) {
        return most;
    }

    return credit + rate * (int64_t) elapsed;
}


static ngx_msec_t
ngx_egress_udp_meter_wait(int64_t missing, int64_t rate)
{
    return (ngx_msec_t) ((missing + rate - 1) / rate);
}


void
ngx_egress_udp_meter_used(ngx_egress_udp_meter_t *m, ngx_uint_t packets,
    size_t bytes)
{
    if (m->packets) {
        m->packet_credit -= (int64_t) packets * 1000;
    }

    if (m->bytes) {
        m->byte_credit -= (int64_t) bytes * 1000;
    }
}


char *
ngx_egress_udp_limit_conf(ngx_conf_t *cf, ngx_egress_udp_limit_t *limit)
{
    char        *rv;
    ssize_t      n;
    ngx_str_t   *value, rate;
    ngx_uint_t   i, both;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_egress_conf_param(&value[i], "upload_packets=", &rate)) {
            rv = ngx_egress_udp_limit_packets(&rate, &limit->upload_packets);

        } else if (ngx_egress_conf_param(&value[i], "download_packets=",
                                         &rate))
        {
            rv = ngx_egress_udp_limit_packets(&rate, &limit->download_packets);

        } else {
            both = !ngx_egress_conf_param(&value[i], "upload=", &rate)
                   && !ngx_egress_conf_param(&value[i], "download=", &rate);

            n = ngx_egress_parse_rate(both ? &value[i] : &rate);
            rv = NGX_CONF_OK;

            if (n == NGX_ERROR) {
                rv = "has an invalid rate, use bytes a second as in \"512k\"";

            } else if (both || value[i].data[0] == 'u') {
                limit->upload = n;
            }

            if (n != NGX_ERROR && (both || value[i].data[0] == 'd')) {
                limit->download = n;
            }
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_udp_limit_packets(ngx_str_t *value, ngx_uint_t *packets)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR) {
        return "has an invalid number of packets a second";
    }

    *packets = n;

    return NGX_CONF_OK;
}


void
ngx_egress_udp_limit_conf_init(ngx_egress_udp_limit_t *limit)
{
    limit->upload = NGX_CONF_UNSET_SIZE;
    limit->download = NGX_CONF_UNSET_SIZE;
    limit->upload_packets = NGX_CONF_UNSET_UINT;
    limit->download_packets = NGX_CONF_UNSET_UINT;
}


void
ngx_egress_udp_limit_conf_merge(ngx_egress_udp_limit_t *conf,
    ngx_egress_udp_limit_t *prev)
{
    ngx_conf_merge_size_value(conf->upload, prev->upload, 0);
    ngx_conf_merge_size_value(conf->download, prev->download, 0);
    ngx_conf_merge_uint_value(conf->upload_packets, prev->upload_packets, 0);
    ngx_conf_merge_uint_value(conf->download_packets, prev->download_packets,
                              0);
}
