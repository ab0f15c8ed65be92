/*
 * Copyright (C) ngx_egress authors
 *
 * The speed limit of one direction.  Credit grows with time; a read needs any
 * credit at all and may overdraw it by a small quantum, the debt is waited
 * for.  So a chunk is never cut into crumbs and the average is exact.
 */

#include "ngx_egress_relay_side.h"


/*
 * Sixteen chunks a second, but none that is smaller than a packet, unless the
 * limit is, or larger than the buffer: high limits are reached in steps of a
 * few ms.  Unused credit is kept for two of them, or as long as the event
 * loop may be late.
 */

#define ngx_egress_relay_quantum(rate)                                        \
    ngx_min(ngx_max((rate) / 16, ngx_min(rate, 1460)),                        \
            NGX_EGRESS_RELAY_BUFFER)

#define NGX_EGRESS_RELAY_LATE  100


static void ngx_egress_relay_limit_grow(ngx_egress_relay_side_t *src);


size_t
ngx_egress_relay_limit(ngx_egress_relay_side_t *src, size_t size)
{
    size_t      quantum;
    ngx_msec_t  wait;

    if (src->rate == 0) {
        return size;
    }

    ngx_egress_relay_limit_grow(src);

    if (src->credit > 0) {
        quantum = ngx_egress_relay_quantum(src->rate);

        return ngx_min(size, quantum);
    }

    if (!src->delay.timer_set) {
        wait = -src->credit / (int64_t) src->rate + 1;

        ngx_log_debug2(NGX_LOG_DEBUG_EVENT, src->relay->log, 0,
                       "egress relay: limit %uz, wait %M", src->rate, wait);

        ngx_add_timer(&src->delay, wait);
    }

    return 0;
}


static void
ngx_egress_relay_limit_grow(ngx_egress_relay_side_t *src)
{
    int64_t      most, rate;
    ngx_msec_t   elapsed;

    /* counted in thousandths of a byte, so that no ms is rounded away */

    rate = src->rate;
    most = 2 * 1000 * (int64_t) ngx_egress_relay_quantum(src->rate);
    most = ngx_max(most, rate * NGX_EGRESS_RELAY_LATE);

    if (src->credit_at == 0) {
        src->credit += most / 2;
        src->credit_at = ngx_current_msec;
        return;
    }

    elapsed = ngx_current_msec - src->credit_at;
    src->credit_at = ngx_current_msec;

    if ((int64_t) elapsed > (most - src->credit) / rate) {
        src->credit = most;

    } else {
        src->credit += rate * (int64_t) elapsed;
    }
}


void
ngx_egress_relay_limit_used(ngx_egress_relay_side_t *src, size_t n)
{
    if (src->rate) {
        src->credit -= (int64_t) n * 1000;
    }
}
