/*
 * Copyright (C) ngx_egress authors
 *
 * Counters of tasks in the zone of egress { }.  Each worker writes a row of
 * its own, found by its process slot; a reader adds the rows.  A worker that
 * is started in place of a killed one gets the same row and takes back what
 * the dead one still counted as alive.
 */

#ifndef _NGX_EGRESS_STAT_H_INCLUDED_
#define _NGX_EGRESS_STAT_H_INCLUDED_


#include "../ngx_egress.h"


typedef struct {
    ngx_atomic_t     created;
    ngx_atomic_t     alive;
    ngx_atomic_t     reasons[NGX_EGRESS_REASONS];  /* of ended tasks */
    ngx_atomic_t     bytes_sent;                   /* to clients */
    ngx_atomic_t     bytes_received;
} ngx_egress_stat_t;


/* The "zone NAME SIZE" directive inside egress { }; conf: ngx_egress_conf_t */
char *ngx_egress_stat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

ngx_int_t ngx_egress_stat_init_process(ngx_cycle_t *cycle);

/*
 * A check for ngx_egress_conf_defer(): "where" is the ngx_egress_object_t of a
 * directive that shows the counters.
 */
char *ngx_egress_stat_check(ngx_conf_t *cf, void *where);

/* Without a zone both do nothing. */
void ngx_egress_stat_created(ngx_egress_task_t *task);
void ngx_egress_stat_ended(ngx_egress_task_t *task);

/* Adds up all rows; NGX_DECLINED: there is no zone. */
ngx_int_t ngx_egress_stat_sum(ngx_cycle_t *cycle, ngx_egress_stat_t *sum);


#endif /* _NGX_EGRESS_STAT_H_INCLUDED_ */
