/*
 * Copyright (C) ngx_egress authors
 *
 * The speed limit of one direction.  Credit grows with time; a read needs any
 * credit at all and may overdraw it by a small quantum, the debt is waited
 * for.  So a chunk is never cut into crumbs and the average is exact.
 */

#include "ngx_egress_limit.h"


/*
 * Sixteen chunks a second, but none that is smaller than a packet, unless the
 * limit is, or larger than the buffer: high limits are reached in steps of a
 * few ms.  Unused credit is kept for two of them, or as long as the event
 * loop may be late.
 */

#define ngx_egress_limit_quantum(rate)                                        \
    ngx_min(ngx_max((rate) / 16, ngx_min(rate, 1460)),                        \
            NGX_EGRESS_LIMIT_CHUNK)

#define NGX_EGRESS_LIMIT_CHUNK  (256 * 1024)

#define NGX_EGRESS_LIMIT_LATE   100


static void ngx_egress_limit_grow(ngx_egress_limit_t *limit);


size_t
ngx_egress_limit(ngx_egress_limit_t *limit, size_t size)
{
    size_t      quantum;
    ngx_msec_t  wait;

    if (limit->rate == 0) {
        return size;
    }

    ngx_egress_limit_grow(limit);

    if (limit->credit > 0) {
        quantum = ngx_egress_limit_quantum(limit->rate);

        return ngx_min(size, quantum);
    }

    if (!limit->delay.timer_set) {
        wait = -limit->credit / (int64_t) limit->rate + 1;

        ngx_log_debug2(NGX_LOG_DEBUG_EVENT, limit->delay.log, 0,
                       "egress limit: %uz, wait %M", limit->rate, wait);

        ngx_add_timer(&limit->delay, wait);
    }

    return 0;
}


static void
ngx_egress_limit_grow(ngx_egress_limit_t *limit)
{
    int64_t      most, rate;
    ngx_msec_t   elapsed;

    /* counted in thousandths of a byte, so that no ms is rounded away */

    rate = limit->rate;
    most = 2 * 1000 * (int64_t) ngx_egress_limit_quantum(limit->rate);
    most = ngx_max(most, rate * NGX_EGRESS_LIMIT_LATE);

    if (limit->credit_at == 0) {
        limit->credit += most / 2;
        limit->credit_at = ngx_current_msec;
        return;
    }

    elapsed = ngx_current_msec - limit->credit_at;
    limit->credit_at = ngx_current_msec;

    if ((int64_t) elapsed > (most - limit->credit) / rate) {
        limit->credit = most;

    } else {
        limit->credit += rate * (int64_t) elapsed;
    }
}


void
ngx_egress_limit_used(ngx_egress_limit_t *limit, size_t n)
{
    if (limit->rate) {
        limit->credit -= (int64_t) n * 1000;
    }
}
